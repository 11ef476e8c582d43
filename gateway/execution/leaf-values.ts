import { type GraphQLLeafType, isEnumType, isSpecifiedScalarType } from 'graphql';

const max32Bit = 2 ** 31 - 1;
const min32Bit = -(2 ** 31);

/** Tells if a client may see a value of a leaf type. Custom scalars may be anything. */
export function isValidLeaf(type: GraphQLLeafType, value: unknown): boolean {
  if (isEnumType(type)) return typeof value === 'string' && type.getValue(value) !== undefined;
  if (!isSpecifiedScalarType(type)) return true;
  switch (type.name) {
    case 'Int':
      return Number.isInteger(value) && (value as number) <= max32Bit && (value as number) >= min32Bit;
    case 'Float':
      return typeof value === 'number';
    case 'Boolean':
      return typeof value === 'boolean';
    case 'ID':
      return typeof value === 'string' || Number.isInteger(value);
    default:
      return typeof value === 'string';
  }
}
