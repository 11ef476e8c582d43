import {
  type GraphQLCompositeType,
  type GraphQLLeafType,
  type GraphQLNullableType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  isEnumType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  isSpecifiedScalarType,
} from 'graphql';
import { type DataObject, isDataObject, ownField } from './data.ts';
import { quote, toJson } from './json.ts';
import { JsonBytes } from './json-bytes.ts';
import { leafValidator } from './leaf-values.ts';
import type { Selection } from './shape.ts';

/** Writes a value of the tree of answers as the client gets it. @throws notWhole */
type Write = (value: unknown) => void;

/**
 * Writes an answer as JSON, straight from the tree of answers, if nothing is wrong with it: each value is there and is what
 * the schema says.
 *
 * @param maxBytes the most that is written
 * @param united objects that stand at several places: they are written once, and copied
 * @returns undefined when something is; then `Completion` finds out what
 * @throws AnswerTooLargeError
 */
export type WriteAnswer = (
  root: DataObject,
  maxBytes: number,
  united?: ReadonlySet<DataObject>,
) => Buffer | undefined;

/** Buffer that all answers are written to, one at a time. */
const out = new JsonBytes();

/** Where an object was written. */
interface WrittenObject {
  readonly fields: readonly WrittenField[];
  readonly begin: number;
  readonly end: number;
}

const nothing: ReadonlySet<DataObject> = new Set();
/** Objects of the answer that is written that stand at several places. */
let repeated = nothing;
/** Those that were written. */
const writtenObjects = new Map<DataObject, WrittenObject>();

/** Thrown for a value that is not as the schema says. It is made once: nobody reads its stack. */
const notWhole = new Error('A value is not as the schema says');

/** Compiles what writes the answers of an operation. Types are compiled when the first object of each comes. */
export function compileWriter(
  schema: GraphQLSchema,
  type: GraphQLObjectType,
  selection: Selection,
): WriteAnswer {
  const write = writeObjects(schema, type, selection);
  return (root, maxBytes, united = nothing) => {
    out.begin(maxBytes);
    repeated = united;
    try {
      out.ascii('{"data":');
      write(root);
      out.ascii('}\n');
    } catch (error) {
      if (error === notWhole) return undefined;
      throw error;
    } finally {
      repeated = nothing;
      writtenObjects.clear();
    }
    return out.copy();
  };
}

function writeValues(schema: GraphQLSchema, type: GraphQLOutputType, selection: Selection): Write {
  if (isNonNullType(type)) return writeNonNull(schema, type.ofType, selection);
  const write = writeNonNull(schema, type, selection);
  return value => {
    if (value === null) out.ascii('null');
    else write(value);
  };
}

/** Writers of what is neither null nor missing. */
function writeNonNull(schema: GraphQLSchema, type: GraphQLNullableType, selection: Selection): Write {
  if (isListType(type)) return writeLists(writeValues(schema, type.ofType as GraphQLOutputType, selection));
  if (isLeafType(type)) return writeLeaves(type);
  if (isObjectType(type)) return writeObjects(schema, type, selection);
  return writeAbstract(schema, type as GraphQLCompositeType, selection);
}

function writeLists(write: Write): Write {
  return value => {
    if (!Array.isArray(value)) throw notWhole;
    out.ascii('[');
    for (let index = 0; index < value.length; index += 1) {
      if (index > 0) out.ascii(',');
      write(value[index]);
    }
    out.ascii(']');
  };
}

function writeLeaves(type: GraphQLLeafType): Write {
  if (isEnumType(type)) {
    const textByName = new Map<unknown, string>(type.getValues().map(({ name }) => [name, quote(name)]));
    return value => out.ascii(textByName.get(value) ?? refuse());
  }
  if (!isSpecifiedScalarType(type))
    return value => out.json(value === undefined || value === null ? refuse() : toJson(value));
  const isValid = leafValidator(type);
  return value => {
    if (!isValid(value)) throw notWhole;
    if (typeof value === 'string') out.string(value);
    else out.ascii(toJson(value));
  };
}

interface WrittenField {
  /** Text before its value: a brace or a comma, and its name. */
  readonly prefix: string;
  readonly treeName: string;
  /** True if every object inherits something of this name. */
  readonly isInherited: boolean;
  readonly write: Write;
}

function writeObjects(schema: GraphQLSchema, type: GraphQLObjectType, selection: Selection): Write {
  let fields: readonly WrittenField[] | undefined;
  return value => {
    if (!isDataObject(value)) throw notWhole;
    fields ??= fieldsOf(schema, type, selection);
    if (repeated.size > 0 && repeated.has(value)) writeRepeated(value, fields);
    else writeFields(value, fields);
  };
}

function writeFields(object: DataObject, fields: readonly WrittenField[]): void {
  for (const { prefix, treeName, isInherited, write } of fields) {
    out.ascii(prefix);
    write(isInherited ? ownField(object, treeName) : object[treeName]);
  }
  out.ascii(fields.length === 0 ? '{}' : '}');
}

/** Copies an object that was written before with the same fields. */
function writeRepeated(object: DataObject, fields: readonly WrittenField[]): void {
  const written = writtenObjects.get(object);
  if (written?.fields === fields) {
    out.again(written.begin, written.end);
    return;
  }
  const begin = out.length;
  writeFields(object, fields);
  writtenObjects.set(object, { fields, begin, end: out.length });
}

function fieldsOf(schema: GraphQLSchema, type: GraphQLObjectType, selection: Selection): WrittenField[] {
  return selection
    .fieldsOf(type)
    .map(({ responseName, treeName, fieldName, isDenied, type: fieldType, selection }, index) => ({
      prefix: `${index === 0 ? '{' : ','}${quote(responseName)}:`,
      treeName,
      isInherited: treeName in Object.prototype,
      write: isDenied ? refuse : writeField(schema, type, { fieldName, fieldType, selection }),
    }));
}

function writeField(
  schema: GraphQLSchema,
  type: GraphQLObjectType,
  { fieldName, fieldType, selection }: WritableField,
): Write {
  if (fieldName === '__typename') return constant(quote(type.name));
  return fieldType ? writeValues(schema, fieldType, selection) : refuse;
}

interface WritableField {
  readonly fieldName: string;
  readonly fieldType: GraphQLOutputType | undefined;
  readonly selection: Selection;
}

/** Objects of an interface or a union are of the type that they say. */
function writeAbstract(schema: GraphQLSchema, type: GraphQLCompositeType, selection: Selection): Write {
  const writeByName = new Map<unknown, Write>();
  const writeOf = (name: unknown): Write => {
    const actual = typeof name === 'string' ? schema.getType(name) : undefined;
    if (isObjectType(type) || !isObjectType(actual) || !schema.isSubType(type, actual)) throw notWhole;
    const write = writeObjects(schema, actual, selection);
    writeByName.set(name, write);
    return write;
  };
  return value => {
    if (!isDataObject(value)) throw notWhole;
    const name = value['__typename'];
    (writeByName.get(name) ?? writeOf(name))(value);
  };
}

function constant(text: string): Write {
  return () => out.ascii(text);
}

function refuse(): never {
  throw notWhole;
}
