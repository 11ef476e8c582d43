import {
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  isLeafType,
  isObjectType,
} from 'graphql';
import { type DataObject, isDataObject, ownField } from '../execution/data.ts';
import type { Selection, ShapeField } from '../execution/shape.ts';
import { mutationCost } from './estimate.ts';
import type { Weights } from './weights.ts';

interface ActualOptions {
  readonly schema: GraphQLSchema;
  readonly weights: Weights;
}

/** Counts the cost of an object below what it costs itself. */
type CountObject = (object: DataObject) => number;

/** A field that costs something by its values. */
interface CostlyField {
  readonly treeName: string;
  /** Cost of each item, or of the value that is no list. */
  readonly weight: number;
  readonly countBelow: CountObject;
}

/**
 * Compiles the count of what an operation has cost: as the estimate, with the items that the answers had. Leaves that cost
 * nothing are not looked at.
 */
export function compileActual(
  options: ActualOptions,
  type: GraphQLObjectType,
  selection: Selection,
): (root: DataObject) => number {
  const count = countObjects(options, type, selection);
  const fixed =
    type === options.schema.getMutationType() ? selection.fieldsOf(type).length * mutationCost : 0;
  return root => Math.max(0, fixed + count(root));
}

function countObjects(options: ActualOptions, type: GraphQLNamedType, selection: Selection): CountObject {
  const countByType = new Map<GraphQLObjectType, CountObject>();
  return object => {
    const actual = isObjectType(type) ? type : options.schema.getType(String(object['__typename']));
    if (!isObjectType(actual)) return 0;
    let count = countByType.get(actual);
    if (!count) {
      count = countFields(options, actual, selection);
      countByType.set(actual, count);
    }
    return count(object);
  };
}

function countFields(options: ActualOptions, type: GraphQLObjectType, selection: Selection): CountObject {
  const { weights } = options;
  const fields = selection.fieldsOf(type).filter(({ isDenied }) => !isDenied);
  const fixed = fields.reduce(
    (sum, { nodes: [node] }) => sum + (node ? weights.argumentsCost(type, node) : 0),
    0,
  );
  const costly = fields.flatMap(field => costlyField(options, type, field));
  const later = selection.deferredOf(type).map(deferred => countObjects(options, type, deferred.selection));
  return object => {
    let sum = fixed;
    for (const { treeName, weight, countBelow } of costly)
      sum += countValues(ownField(object, treeName), weight, countBelow);
    for (const count of later) sum += count(object);
    return sum;
  };
}

function costlyField(
  { schema, weights }: ActualOptions,
  parent: GraphQLObjectType,
  field: ShapeField,
): CostlyField[] {
  const { fieldName, treeName, type, selection } = field;
  if (!type) return [];
  const named = getNamedType(type);
  const weight = weights.weightOf(parent, fieldName, named);
  if (isLeafType(named)) return weight === 0 ? [] : [{ treeName, weight, countBelow: () => 0 }];
  return [{ treeName, weight, countBelow: countObjects({ schema, weights }, named, selection) }];
}

function countValues(value: unknown, weight: number, countBelow: CountObject): number {
  if (value === null || value === undefined) return 0;
  if (!Array.isArray(value)) return weight + (isDataObject(value) ? countBelow(value) : 0);
  let sum = 0;
  for (const item of value) sum += countValues(item, weight, countBelow);
  return sum;
}
