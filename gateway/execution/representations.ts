import type { FetchDataRewrite, QueryPlanSelectionNode } from '@apollo/query-planner';
import type { GraphQLSchema } from 'graphql';
import { type DataObject, isDataObject, ownField } from './data.ts';
import { originalOf } from './field-copies/names.ts';
import { quote, toJson } from './json.ts';
import { applyRewrites } from './rewrites.ts';
import { isOfType } from './types.ts';

/** Entities that a fetch asks for: each once, with the objects that it fills. */
export interface Representations {
  /** Each as JSON. */
  readonly texts: readonly string[];
  /** Objects by the index of their representation. */
  readonly objects: readonly (readonly DataObject[])[];
  /** Objects that lack a field that the subgraph has to be given. */
  readonly incomplete: readonly DataObject[];
}

/** Selects the representations of entities. Objects of other types are passed over. */
export type SelectRepresentations = (objects: readonly DataObject[]) => Representations;

interface RepresentationOptions {
  /** The supergraph's schema. */
  readonly schema: GraphQLSchema;
  readonly requires: readonly QueryPlanSelectionNode[];
  readonly inputRewrites: readonly FetchDataRewrite[];
}

/** A field of a representation. */
interface KeyField {
  readonly name: string;
  /** Text before its value: a brace or a comma, the type's name where that is selected, and its own. */
  readonly prefix: string;
  /** Undefined for a leaf. */
  readonly selection: KeySelection | undefined;
}

/** Fields that are selected of the objects of one type. */
interface KeyFields {
  readonly hasType: boolean;
  readonly fields: readonly KeyField[];
  /** Text behind the last value. */
  readonly end: string;
  /** Name of the leaf that tells the objects of the type apart, if it is the only one. */
  readonly onlyLeaf: string | undefined;
}

/** Compiles the selection of a fetch's representations, which are written as JSON without an object in between. */
export function compileRepresentations(options: RepresentationOptions): SelectRepresentations {
  const { schema, requires, inputRewrites } = options;
  const selection = new KeySelection(schema, requires);

  function textOf(object: DataObject): string | undefined {
    const text = selection.write(object);
    if (text === undefined || inputRewrites.length === 0) return text;
    const value = JSON.parse(text) as DataObject;
    applyRewrites(schema, inputRewrites, value);
    return JSON.stringify(value);
  }

  return objects => {
    const indexByText = new Map<string, number>();
    // Most entities have one key that is a string: those that were seen are found by it, without their JSON.
    const seenByKey = new Map<string, { readonly fields: KeyFields; readonly index: number }>();
    const found = { texts: [] as string[], objects: [] as DataObject[][], incomplete: [] as DataObject[] };
    for (const object of objects) {
      const fields = selection.fieldsOf(object);
      if (!object['__typename'] || !fields.hasType) continue;
      const key = fields.onlyLeaf === undefined ? undefined : ownField(object, fields.onlyLeaf);
      const seen = typeof key === 'string' ? seenByKey.get(key) : undefined;
      if (seen?.fields === fields) {
        found.objects[seen.index]?.push(object);
        continue;
      }
      const text = textOf(object);
      if (text === undefined) {
        found.incomplete.push(object);
        continue;
      }
      let index = indexByText.get(text);
      if (index === undefined) {
        index = found.texts.push(text) - 1;
        indexByText.set(text, index);
        found.objects.push([object]);
      } else found.objects[index]?.push(object);
      if (typeof key === 'string') seenByKey.set(key, { fields, index });
    }
    return found;
  };
}

/** Fields that are selected of an object for a representation: for each type those that apply. */
class KeySelection {
  readonly #schema: GraphQLSchema;
  readonly #selections: readonly QueryPlanSelectionNode[];
  readonly #fieldsByType = new Map<unknown, KeyFields>();

  constructor(schema: GraphQLSchema, selections: readonly QueryPlanSelectionNode[]) {
    this.#schema = schema;
    this.#selections = selections;
  }

  /** @returns undefined when the object lacks a field */
  write(object: DataObject): string | undefined {
    const { fields, end } = this.fieldsOf(object);
    let text = '';
    for (const { name, prefix, selection } of fields) {
      const value = writeValue(ownField(object, name), selection);
      if (value === undefined) return undefined;
      text += prefix + value;
    }
    return text + end;
  }

  /** Fields that are selected of an object, by its type. */
  fieldsOf(object: DataObject): KeyFields {
    const type = object['__typename'];
    const known = this.#fieldsByType.get(type);
    if (known) return known;
    const belowByName = new Map<string, QueryPlanSelectionNode[] | undefined>();
    this.#collect(object, this.#selections, belowByName);
    const hasType = belowByName.has('__typename');
    let before = '{';
    if (hasType && typeof type === 'string') {
      before += `"__typename":${quote(type)}`;
      belowByName.delete('__typename');
    }
    const fields: KeyField[] = [];
    for (const [name, below] of belowByName) {
      const selection = below ? new KeySelection(this.#schema, below) : undefined;
      const prefix = `${before}${before === '{' ? '' : ','}${quote(originalOf(name))}:`;
      fields.push({ name, prefix, selection });
      before = '';
    }
    const [first] = fields;
    const onlyLeaf = fields.length === 1 && !first?.selection ? first?.name : undefined;
    const found = { hasType, fields, end: `${before}}`, onlyLeaf };
    // Names of types come from subgraphs: only those of the schema are remembered.
    if (typeof type !== 'string' || this.#schema.getType(type)) this.#fieldsByType.set(type, found);
    return found;
  }

  #collect(
    object: DataObject,
    selections: readonly QueryPlanSelectionNode[],
    belowByName: Map<string, QueryPlanSelectionNode[] | undefined>,
  ): void {
    for (const selection of selections) {
      if (selection.kind === 'Field') {
        const name = selection.alias ?? selection.name;
        const below = [...(belowByName.get(name) ?? []), ...(selection.selections ?? [])];
        belowByName.set(name, selection.selections ? below : undefined);
        continue;
      }
      const condition = selection.typeCondition;
      if (condition !== undefined && isOfType({ schema: this.#schema, object, condition, ifUnknown: false }))
        this.#collect(object, selection.selections, belowByName);
    }
  }
}

/** @returns undefined when the value, or something in it, is not there */
function writeValue(value: unknown, selection: KeySelection | undefined): string | undefined {
  if (value === undefined) return undefined;
  if (!selection || value === null) return toJson(value);
  if (Array.isArray(value)) {
    const items: string[] = [];
    for (const item of value) {
      const text = writeValue(item ?? null, selection);
      if (text === undefined) return undefined;
      items.push(text);
    }
    return `[${items.join(',')}]`;
  }
  return isDataObject(value) ? selection.write(value) : toJson(value);
}
