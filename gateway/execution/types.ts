import { type GraphQLSchema, isAbstractType, isInterfaceType, isObjectType } from 'graphql';
import type { DataObject } from './data.ts';

interface TypeQuestion {
  /** The supergraph's schema: fetches name types that clients may not see. */
  readonly schema: GraphQLSchema;
  readonly object: DataObject;
  readonly condition: string;
  /** Answer for an object that does not say its type. */
  readonly ifUnknown: boolean;
}

/** Tells if an object is of a type, or of one of its subtypes. */
export function isOfType({ schema, object, condition, ifUnknown }: TypeQuestion): boolean {
  const name = object['__typename'];
  if (typeof name !== 'string') return ifUnknown;
  if (name === condition) return true;
  const type = schema.getType(name);
  const abstract = schema.getType(condition);
  if (!isObjectType(type) && !isInterfaceType(type)) return false;
  return isAbstractType(abstract) && schema.isSubType(abstract, type);
}
