import type { FetchDataRewrite, QueryPlanSelectionNode } from '@apollo/query-planner';
import type { GraphQLSchema } from 'graphql';
import { type DataObject, isDataObject, mergeInto, ownField, setField } from './data.ts';
import type { Place } from './places.ts';
import { applyRewrites } from './rewrites.ts';
import { isOfType } from './types.ts';

/** Entities that a fetch asks for: each once, with the places that it fills. */
export interface Representations {
  readonly values: readonly DataObject[];
  /** Places by the index of their representation. */
  readonly places: readonly (readonly Place[])[];
  /** Places that lack a field that the subgraph has to be given. */
  readonly incomplete: readonly Place[];
}

interface RepresentationOptions {
  readonly schema: GraphQLSchema;
  readonly requires: readonly QueryPlanSelectionNode[];
  readonly inputRewrites: readonly FetchDataRewrite[];
}

/** Thrown for an object that lacks a required field. */
const incomplete = Symbol('incomplete');

/** Selects the representations of the entities at these places. Objects of other types are passed over. */
export function representationsOf(
  places: readonly Place[],
  { schema, requires, inputRewrites }: RepresentationOptions,
): Representations {
  const indexByText = new Map<string, number>();
  const found = { values: [] as DataObject[], places: [] as Place[][], incomplete: [] as Place[] };
  for (const place of places) {
    const value = select(schema, place.object, requires);
    if (value === incomplete) {
      found.incomplete.push(place);
      continue;
    }
    if (!value['__typename']) continue;
    applyRewrites(schema, inputRewrites, value);
    const text = JSON.stringify(value);
    const index = indexByText.get(text) ?? found.values.length;
    if (index === found.values.length) {
      indexByText.set(text, index);
      found.values.push(value);
      found.places.push([]);
    }
    found.places[index]?.push(place);
  }
  return found;
}

function select(
  schema: GraphQLSchema,
  source: DataObject,
  selections: readonly QueryPlanSelectionNode[],
): DataObject | typeof incomplete {
  const selected: DataObject = {};
  for (const selection of selections) {
    if (selection.kind === 'Field') {
      const name = selection.alias ?? selection.name;
      const value = selectValue(schema, ownField(source, name), selection.selections);
      if (value === incomplete) return incomplete;
      setField(selected, name, value);
    } else {
      const condition = selection.typeCondition;
      if (condition === undefined || !isOfType({ schema, object: source, condition, ifUnknown: false }))
        continue;
      const part = select(schema, source, selection.selections);
      if (part === incomplete) return incomplete;
      mergeInto(selected, part);
    }
  }
  return selected;
}

function selectValue(
  schema: GraphQLSchema,
  value: unknown,
  selections: readonly QueryPlanSelectionNode[] | undefined,
): unknown {
  if (value === undefined) return incomplete;
  if (!selections || value === null) return value;
  if (Array.isArray(value)) {
    const items = value.map(item => selectValue(schema, item ?? null, selections));
    return items.includes(incomplete) ? incomplete : items;
  }
  return isDataObject(value) ? select(schema, value, selections) : value;
}
