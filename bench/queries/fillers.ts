import type { GraphQLSchema } from 'graphql';
import { subgraph } from './federation.ts';

/** A subgraph whose `Query` has another field in each version. */
export function changing(version: number): GraphQLSchema {
  const field = `version${version}`;
  return subgraph(
    `type Query { ${field}: Int! }
    type Product @key(fields: "upc") { upc: String! ${field}: Int }`,
    { Query: { [field]: () => version } },
  );
}

/** A subgraph that is there to be composed: an entity of its own, and fields of two others. */
export function filler(index: number): GraphQLSchema {
  const before = index > 1 ? `Thing${index - 1}` : 'User';
  return subgraph(
    `type Query { thing${index}(id: ID!): Thing${index} things${index}(first: Int = 10): [Thing${index}!]! }
    type Thing${index} @key(fields: "id") {
      id: ID! name: String! title: String description: String price: Int weight: Int size: Size${index}
      kind: Kind${index}! tags: [String!]! neighbour: ${before} neighbours(first: Int = 10): [${before}!]!
    }
    type Size${index} { width: Int! height: Int! depth: Int }
    enum Kind${index} { SMALL LARGE OTHER }
    type ${before} @key(fields: "id") { id: ID! rated${index}: Int things${index}: [Thing${index}!]! }
    type Product @key(fields: "upc") { upc: String! noted${index}: String }`,
    {},
  );
}
