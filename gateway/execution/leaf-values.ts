import { type GraphQLLeafType, isEnumType, isSpecifiedScalarType } from 'graphql';

const max32Bit = 2 ** 31 - 1;
const min32Bit = -(2 ** 31);

type IsValid = (value: unknown) => boolean;

const validatorByType = new WeakMap<GraphQLLeafType, IsValid>();

/** Finds the check whether a client may see a value of a leaf type. Custom scalars may be anything. */
export function leafValidator(type: GraphQLLeafType): IsValid {
  const known = validatorByType.get(type);
  if (known) return known;
  const validator = createValidator(type);
  validatorByType.set(type, validator);
  return validator;
}

function createValidator(type: GraphQLLeafType): IsValid {
  if (isEnumType(type)) return value => typeof value === 'string' && type.getValue(value) !== undefined;
  return isSpecifiedScalarType(type) ? (validators[type.name] ?? isString) : () => true;
}

/** Tells if a client may see a value of a leaf type. */
export function isValidLeaf(type: GraphQLLeafType, value: unknown): boolean {
  return leafValidator(type)(value);
}

const isString: IsValid = value => typeof value === 'string';

/** By the name of the scalar. */
const validators: Readonly<Record<string, IsValid>> = {
  Int: value => Number.isInteger(value) && (value as number) <= max32Bit && (value as number) >= min32Bit,
  Float: value => typeof value === 'number',
  Boolean: value => typeof value === 'boolean',
  ID: value => typeof value === 'string' || Number.isInteger(value),
};
