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

/** Takes the objects that stand for others. */
export interface UnitedObjects {
  unite(object: DataObject): void;
}

/** Selects the representations of the objects of one run of a fetch, one by one. Objects of other types are passed over. */
export interface RepresentationCollector {
  readonly found: Representations;
  /**
   * Adds an object.
   *
   * @param entities are told of the object that one which is equal is left out for; undefined when none may be
   * @returns the object that stands for it
   */
  add(object: DataObject, entities: UnitedObjects | undefined): DataObject;
}

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
export function compileRepresentations(options: RepresentationOptions): () => RepresentationCollector {
  const { schema, requires, inputRewrites } = options;
  const selection = new KeySelection(schema, requires);

  function textOf(object: DataObject): string | undefined {
    const text = selection.write(object);
    if (text === undefined || inputRewrites.length === 0) return text;
    const value = JSON.parse(text) as DataObject;
    applyRewrites(schema, inputRewrites, value);
    return JSON.stringify(value);
  }

  return () => new Collector(selection, textOf);
}

class Collector implements RepresentationCollector {
  readonly found = { texts: [] as string[], objects: [] as DataObject[][], incomplete: [] as DataObject[] };
  readonly #selection: KeySelection;
  readonly #textOf: (object: DataObject) => string | undefined;
  readonly #indexByText = new Map<string, number>();
  /** Most entities have one key that is a string: those that were seen are found by it, without their JSON. */
  readonly #seenByKey = new Map<string, { readonly fields: KeyFields; readonly index: number }>();

  constructor(selection: KeySelection, textOf: (object: DataObject) => string | undefined) {
    this.#selection = selection;
    this.#textOf = textOf;
  }

  add(object: DataObject, entities: UnitedObjects | undefined): DataObject {
    const fields = this.#selection.fieldsOf(object);
    if (!object['__typename'] || !fields.hasType) return object;
    const index = this.#indexOf(object, fields);
    if (index === undefined) {
      this.found.incomplete.push(object);
      return object;
    }
    const its = this.found.objects[index];
    if (!its) this.found.objects.push([object]);
    else {
      const [first] = its;
      if (entities && first && isEqual(first, object)) {
        entities.unite(first);
        return first;
      }
      its.push(object);
    }
    return object;
  }

  /** Index of the representation, which is added when it is new; undefined when the object lacks a field. */
  #indexOf(object: DataObject, fields: KeyFields): number | undefined {
    const key = fields.onlyLeaf === undefined ? undefined : ownField(object, fields.onlyLeaf);
    const seen = typeof key === 'string' ? this.#seenByKey.get(key) : undefined;
    if (seen?.fields === fields) return seen.index;
    const text = this.#textOf(object);
    if (text === undefined) return undefined;
    const index = this.#indexByText.get(text) ?? this.found.texts.push(text) - 1;
    this.#indexByText.set(text, index);
    if (typeof key === 'string') this.#seenByKey.set(key, { fields, index });
    return index;
  }
}

/** Tells if two objects have the same fields with the same leaves. Those that have objects within are different. */
function isEqual(one: DataObject, other: DataObject): boolean {
  let count = 0;
  for (const name in one) {
    if (one[name] !== other[name]) return false;
    count += 1;
  }
  for (const _name in other) count -= 1;
  return count === 0;
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
