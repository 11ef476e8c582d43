import {
  type GraphQLCompositeType,
  GraphQLError,
  type GraphQLInterfaceType,
  type GraphQLNullableType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  isInterfaceType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
} from 'graphql';
import { type DataObject, isDataObject, ownField, setField } from './data.ts';
import type { Failures, Gap } from './failures.ts';
import { deniedError, type Grants } from './guard.ts';
import { toJson } from './json.ts';
import { isValidLeaf } from './leaf-values.ts';
import { AnswerTooLargeError } from './limits.ts';
import type { DeferredSelection, Selection, ShapeField } from './shape.ts';

interface CompletionOptions {
  /** The schema that the client sees. */
  readonly schema: GraphQLSchema;
  readonly failures: Failures;
  /** Most bytes of the answer, about. */
  readonly maxBytes: number;
  /** Answers `__schema` and `__type`. */
  readonly introspect: (field: ShapeField) => unknown;
  /** Code of the errors of fields that the caller may not have. */
  readonly deniedCode?: Grants['deniedCode'] | undefined;
  /** Is told of each fragment that comes later, at each object that it is on. */
  readonly onDeferred?: (place: DeferredPlace) => void;
}

/** A fragment that comes later, at one object. */
export interface DeferredPlace {
  readonly deferred: DeferredSelection;
  readonly object: DataObject;
  readonly type: GraphQLObjectType | GraphQLInterfaceType;
  readonly path: readonly (string | number)[];
  /** Gaps of the objects above that reach into it. */
  readonly gaps: readonly Gap[];
}

/** Stands for a value that has nulled its parent. Its error has been added. */
const nulled = Symbol('nulled');

/** A field or an item of a list of it, while it is completed. */
interface Slot {
  readonly parent: GraphQLObjectType | GraphQLInterfaceType;
  readonly field: ShapeField;
  /** Gaps of the object that cover the field, if it has any. */
  readonly gaps: readonly Gap[];
}

const noGaps: readonly Gap[] = [];

/**
 * Makes the client's answer of the tree of all answers: the fields that were asked for, in their order, and nulls as the
 * specification has them (https://spec.graphql.org/October2021/#sec-Handling-Field-Errors). Each null that nobody has
 * explained becomes an error.
 */
export class Completion {
  readonly #options: CompletionOptions;
  readonly #path: (string | number)[] = [];
  #bytes = 0;

  constructor(options: CompletionOptions) {
    this.#options = options;
  }

  /** @returns the data of the answer; null when a null reached the root @throws AnswerTooLargeError */
  complete(root: DataObject, type: GraphQLObjectType, selection: Selection): DataObject | null {
    const data = this.#object(root, type, selection, noGaps);
    return data === nulled ? null : data;
  }

  /** Completes a fragment that was left out before. @returns null when a null reached its object @throws AnswerTooLargeError */
  completeDeferred({ deferred, object, type, path, gaps }: DeferredPlace): DataObject | null {
    this.#path.splice(0, this.#path.length, ...path);
    const { selection } = deferred;
    // What the object was before it came is an interface, where nothing more had to be known of it.
    const known = this.#objectTypeOf(type, object) ?? type;
    if (isInterfaceType(known) && !selection.commonFieldsOf(known)) {
      if (!this.#options.failures.isTold(this.#path))
        this.#add(`No subgraph returned the type of the object for a fragment on ${type.name}.`);
      return null;
    }
    const data = this.#object(object, known, selection, gaps);
    return data === nulled ? null : data;
  }

  /** The type that an object says; undefined when it is none of the expected. */
  #objectTypeOf(type: GraphQLCompositeType, object: DataObject): GraphQLObjectType | undefined {
    if (isObjectType(type)) return type;
    const { schema } = this.#options;
    const name = object['__typename'];
    const actual = typeof name === 'string' ? schema.getType(name) : undefined;
    return isObjectType(actual) && schema.isSubType(type, actual) ? actual : undefined;
  }

  #object(
    object: DataObject,
    type: GraphQLObjectType | GraphQLInterfaceType,
    selection: Selection,
    inherited: readonly Gap[],
  ): DataObject | typeof nulled {
    const { failures, introspect, onDeferred } = this.#options;
    const fields = isObjectType(type) ? selection.fieldsOf(type) : (selection.commonFieldsOf(type) ?? []);
    const own = failures.any ? failures.gapsOf(object) : noGaps;
    const gaps = inherited.length > 0 ? [...inherited, ...own] : own;
    const completed: DataObject = {};
    for (const field of fields) {
      const { responseName, treeName, fieldName } = field;
      this.#count(responseName);
      if (fieldName === '__typename') {
        this.#count(type.name);
        setField(completed, responseName, type.name);
      } else if (!field.type) {
        const introspected = introspect(field);
        this.#count(introspected);
        setField(completed, responseName, introspected);
      } else {
        this.#path.push(responseName);
        if (field.isDenied) this.#deny(type, fieldName);
        const slot = { parent: type, field, gaps: gaps.length > 0 ? gapsBelow(gaps, treeName) : noGaps };
        const value = field.isDenied
          ? nullOf(field.type)
          : this.#value(field.type, ownField(object, treeName), slot);
        this.#path.pop();
        if (value === nulled) return nulled;
        setField(completed, responseName, value);
      }
    }
    if (onDeferred)
      for (const deferred of selection.deferredOf(type))
        onDeferred({ deferred, object, type, path: [...this.#path], gaps: inherited });
    return completed;
  }

  #value(type: GraphQLOutputType, value: unknown, slot: Slot): unknown {
    if (value === null || value === undefined) {
      this.#count(null);
      this.#explainNull(value === undefined, isNonNullType(type), slot);
      return isNonNullType(type) ? nulled : null;
    }
    if (isNonNullType(type)) return this.#nonNull(type.ofType, value, slot);
    const completed = this.#nonNull(type, value, slot);
    return completed === nulled ? null : completed;
  }

  /** Completes a value that is there. @returns `nulled` when it, or something in it, can't be shown */
  #nonNull(type: GraphQLNullableType, value: unknown, slot: Slot): unknown {
    if (isListType(type)) return this.#list(type.ofType as GraphQLOutputType, value, slot);
    if (isLeafType(type)) {
      if (!isValidLeaf(type, value)) return this.#invalid(slot, `a value that is no ${type.name}`);
      this.#count(value);
      return value;
    }
    if (!isDataObject(value)) return this.#invalid(slot, 'a value that is no object');
    return this.#composite(type as GraphQLCompositeType, value, slot);
  }

  #composite(type: GraphQLCompositeType, value: DataObject, slot: Slot): DataObject | typeof nulled {
    const { selection } = slot.field;
    const actual = this.#objectTypeOf(type, value);
    if (actual) return this.#object(value, actual, selection, slot.gaps);
    const name = value['__typename'];
    // Of an interface that a subgraph has as an object, the object's own type may not be known, nor needed.
    const isEnough = isInterfaceType(type) && selection.commonFieldsOf(type) !== undefined;
    if (isEnough && (name === undefined || name === type.name))
      return this.#object(value, type, selection, slot.gaps);
    return this.#invalid(slot, 'an object of a type that the schema does not have there');
  }

  #list(type: GraphQLOutputType, value: unknown, slot: Slot): unknown {
    if (!Array.isArray(value)) return this.#invalid(slot, 'a value that is no list');
    const items: unknown[] = [];
    for (const [index, item] of value.entries()) {
      this.#path.push(index);
      const completed = this.#value(type, item ?? null, slot);
      this.#path.pop();
      if (completed === nulled) return nulled;
      items.push(completed);
    }
    return items;
  }

  /** Counts a name or a leaf, so that few values that stand at many places do not fill the memory. */
  #count(value: unknown): void {
    this.#bytes +=
      typeof value === 'string' ? value.length : typeof value === 'object' ? toJson(value).length : 1;
    const { maxBytes } = this.#options;
    if (this.#bytes > maxBytes) throw new AnswerTooLargeError(maxBytes);
  }

  #explainNull(isMissing: boolean, isRequired: boolean, { parent, field, gaps }: Slot): void {
    const { failures } = this.#options;
    let isExplained = failures.isTold(this.#path);
    let isNotFound = false;
    for (const { cause } of gaps) {
      if (cause === 'not-found') isNotFound = true;
      else isExplained = true;
      if (typeof cause === 'object') failures.place(cause, this.#path);
    }
    if (isExplained) return;
    const name = `${parent.name}.${field.fieldName}`;
    if (isRequired) this.#add(`Cannot return null for non-nullable field ${name}.`);
    else if (isMissing && !isNotFound) this.#add(`No subgraph returned a value for the field ${name}.`);
  }

  #invalid({ parent, field }: Slot, found: string): typeof nulled {
    if (!this.#options.failures.isTold(this.#path))
      this.#add(`A subgraph returned ${found} for the field ${parent.name}.${field.fieldName}.`);
    return nulled;
  }

  #deny(type: GraphQLObjectType | GraphQLInterfaceType, fieldName: string): void {
    const { failures, deniedCode = 'FORBIDDEN' } = this.#options;
    failures.add(deniedError(`${type.name}.${fieldName}`, deniedCode, [...this.#path]));
  }

  #add(message: string): void {
    this.#options.failures.add(
      new GraphQLError(message, { path: [...this.#path], extensions: { code: 'SUBGRAPH_INVALID_VALUE' } }),
    );
  }
}

/** Null where the type allows it; else it reaches the parent. */
function nullOf(type: GraphQLOutputType): null | typeof nulled {
  return isNonNullType(type) ? nulled : null;
}

function gapsBelow(gaps: readonly Gap[], name: string): readonly Gap[] {
  return gaps.flatMap(({ fields, cause }) => {
    const below = fields.get(name);
    return below ? [{ fields: below, cause }] : [];
  });
}
