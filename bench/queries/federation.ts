import { buildSubgraphSchema } from '@apollo/subgraph';
import { type GraphQLSchema, parse } from 'graphql';

/*
 * The example that most federation gateways are measured with: accounts, inventory, products and reviews, with small
 * data in memory.
 */

const link =
  'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@requires", "@external", "@provides", "@shareable"])\n';

const words = 'sturdy quiet useful light plain broken splendid worn faithful narrow'.split(' ');
const users = Array.from({ length: 6 }, (_, index) => ({
  id: String(index + 1),
  name: `Person Number ${index + 1}`,
  username: `person_${index + 1}`,
  birthday: 19_700_101 + index,
}));
const products = Array.from({ length: 9 }, (_, index) => ({
  upc: String(index + 1),
  name: `${words[index]} thing`,
  price: 899 + index * 100,
  weight: 100 + index * 50,
  inStock: index % 3 !== 0,
}));
const reviews = Array.from({ length: 24 }, (_, index) => ({
  id: String(index + 1),
  body: `It is ${words[index % words.length]}, and rather ${words[(index + 3) % words.length]}.`,
  authorId: String((index % users.length) + 1),
  upc: String((index % 5) + 1),
}));

type Reference<Key extends string> = Readonly<Record<Key, string>>;
const userBy = ({ id }: Reference<'id'>) => users.find(user => user.id === id);
const productBy = ({ upc }: Reference<'upc'>) => products.find(product => product.upc === upc);

/** Schemas by the name of their subgraph. */
export const subgraphs: Readonly<Record<string, GraphQLSchema>> = {
  accounts: subgraph(
    `type Query { me: User user(id: ID!): User users: [User] }
    type User @key(fields: "id") { id: ID! name: String username: String @shareable birthday: Int }`,
    {
      Query: {
        me: () => users[0],
        user: (_: unknown, by: Reference<'id'>) => userBy(by),
        users: () => users,
      },
      User: { __resolveReference: userBy },
    },
  ),
  inventory: subgraph(
    `type Product @key(fields: "upc") {
      upc: String!
      weight: Int @external
      price: Int @external
      inStock: Boolean
      shippingEstimate: Int @requires(fields: "price weight")
    }`,
    {
      Product: {
        __resolveReference: (given: Reference<'upc'>) => ({ ...given, inStock: productBy(given)?.inStock }),
        shippingEstimate: ({ price, weight }: { price: number; weight: number }) =>
          price > 1_000 ? 0 : Math.round(weight * 0.5),
      },
    },
  ),
  products: subgraph(
    `type Query { topProducts(first: Int = 5): [Product] }
    type Product @key(fields: "upc") { upc: String! name: String price: Int weight: Int }`,
    {
      Query: { topProducts: (_: unknown, { first }: { first: number }) => products.slice(0, first) },
      Product: { __resolveReference: productBy },
    },
  ),
  reviews: subgraph(
    `type Query { review(id: ID!): Review }
    type Review @key(fields: "id") { id: ID! body: String author: User @provides(fields: "username") product: Product }
    type User @key(fields: "id") { id: ID! username: String @external numberOfReviews: Int reviews: [Review] }
    type Product @key(fields: "upc") { upc: String! reviews: [Review] }`,
    {
      Query: { review: (_: unknown, by: Reference<'id'>) => reviews.find(({ id }) => id === by.id) },
      Review: {
        author: ({ authorId }: { authorId: string }) => userBy({ id: authorId }),
        product: ({ upc }: { upc: string }) => ({ upc }),
      },
      User: {
        numberOfReviews: ({ id }: Reference<'id'>) => reviews.filter(each => each.authorId === id).length,
        reviews: ({ id }: Reference<'id'>) => reviews.filter(({ authorId }) => authorId === id),
      },
      Product: {
        reviews: ({ upc }: Reference<'upc'>) => reviews.filter(each => each.upc === upc),
      },
    },
  ),
};

/** Makes the schema of a subgraph of Federation 2. */
export function subgraph(sdl: string, resolvers: object): GraphQLSchema {
  return buildSubgraphSchema({ typeDefs: parse(link + sdl), resolvers: resolvers as never });
}

const heavyDocument = `query Heavy {
  users { ...User reviews { ...Review product { ...Product reviews { ...Review author { ...User reviews { ...Review product { ...Product } } } } } } }
  topProducts { ...Product reviews { ...Review author { ...User reviews { ...Review product { ...Product } } } } }
}
fragment User on User { id username name }
fragment Review on Review { id body }
fragment Product on Product { inStock name price shippingEstimate upc weight }`;

/** One request of a load. */
export interface LoadRequest {
  readonly query: string;
  readonly variables?: Readonly<Record<string, unknown>>;
}

/** Requests of a load, each in turn. */
export interface Load {
  readonly title: string;
  readonly requests: readonly LoadRequest[];
  /** True if each request has another `accept-language`, which goes to subgraphs: nothing may be shared. */
  readonly distinctHeaders: boolean;
}

const cardDocument = `query Cards($first: Int, $id: ID!) {
  topProducts(first: $first) { upc name inStock shippingEstimate reviews { id body author { id name } } }
  user(id: $id) { id name reviews { id product { upc name } } }
}`;

const oneDocument = '{ me { id name username } }';

export const loads: Readonly<Record<string, Load>> = {
  heavy: {
    title: 'heavy, identical',
    requests: [{ query: heavyDocument }],
    distinctHeaders: false,
  },
  'heavy-distinct': {
    title: 'heavy, nothing shared',
    requests: [{ query: heavyDocument }],
    distinctHeaders: true,
  },
  one: {
    title: 'one subgraph, three fields',
    requests: [{ query: oneDocument }],
    distinctHeaders: false,
  },
  'one-distinct': {
    title: 'one subgraph, nothing shared',
    requests: [{ query: oneDocument }],
    distinctHeaders: true,
  },
  hop: {
    title: 'one entity hop',
    requests: [{ query: '{ me { id name numberOfReviews } }' }],
    distinctHeaders: false,
  },
  variables: {
    title: 'one document, 54 sets of variables',
    requests: users.flatMap(({ id }) =>
      products.map((_, index) => ({ query: cardDocument, variables: { first: index + 1, id } })),
    ),
    distinctHeaders: false,
  },
};

/** Loads that have documents of different shapes; the others send the same documents. */
export const shapes = ['heavy', 'variables', 'hop', 'one'];
