import { describe, expect, test } from 'vitest';
import { useFront } from '../helpers/front.ts';

const federation = `extend schema
  @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@external", "@requires", "@provides", "@shareable"])`;

const users = [
  { id: '1', name: 'Ada Lovelace', username: '@ada' },
  { id: '2', name: 'Alan Turing', username: '@complete' },
];
const products = [
  { upc: '1', name: 'Table', price: 899, weight: 100 },
  { upc: '2', name: 'Couch', price: 1299, weight: 1000 },
];
const reviews = [
  { id: '1', authorID: '1', product: { upc: '1' }, body: 'Love it!' },
  { id: '2', authorID: '2', product: { upc: '1' }, body: 'Could be better.' },
];
const byKey = <T extends object>(rows: readonly T[], key: keyof T) => ({
  __resolveReference: (reference: T) => rows.find(row => row[key] === reference[key]),
});

const subgraphs = {
  accounts: {
    typeDefs: `${federation}
      type Query { me: User }
      type User @key(fields: "id") { id: ID! name: String username: String @shareable }`,
    resolvers: { Query: { me: () => users[0] }, User: byKey(users, 'id') },
  },
  products: {
    typeDefs: `${federation}
      type Query { topProducts(first: Int = 5): [Product] }
      type Product @key(fields: "upc") { upc: String! name: String price: Int weight: Int }`,
    resolvers: {
      Query: { topProducts: (_: unknown, { first }: { first: number }) => products.slice(0, first) },
      Product: byKey(products, 'upc'),
    },
  },
  reviews: {
    typeDefs: `${federation}
      type Review @key(fields: "id") { id: ID! body: String author: User @provides(fields: "username") product: Product }
      type User @key(fields: "id") { id: ID! username: String @external reviews: [Review] }
      type Product @key(fields: "upc") { upc: String! reviews: [Review] }`,
    resolvers: {
      Review: {
        author: ({ authorID }: { authorID: string }) => users.find(({ id }) => id === authorID),
      },
      User: { reviews: ({ id }: { id: string }) => reviews.filter(({ authorID }) => authorID === id) },
      Product: {
        reviews: ({ upc }: { upc: string }) => reviews.filter(({ product }) => product.upc === upc),
      },
    },
  },
  inventory: {
    typeDefs: `${federation}
      type Product @key(fields: "upc") {
        upc: String! weight: Int @external price: Int @external inStock: Boolean
        shippingEstimate: Int @requires(fields: "price weight")
      }`,
    resolvers: {
      Product: {
        inStock: ({ upc }: { upc: string }) => upc === '1',
        shippingEstimate: ({ price, weight }: { price: number; weight: number }) =>
          price > 1000 ? 0 : weight * 0.5,
      },
    },
  },
};

describe('a gateway that knows nothing of its subgraphs', () => {
  const front = useFront();

  test('composes four of another team, registered by plain Eureka REST, and answers across all of them', async () => {
    for (const [name, definition] of Object.entries(subgraphs))
      await (await front.serve({ name, ...definition })).register();
    const ask = async () =>
      (
        await front.anyone.request(
          `{
            me { name username reviews { body product { name price shippingEstimate inStock } } }
            topProducts(first: 2) { name shippingEstimate reviews { body author { username } } }
          }`,
        )
      ).data;

    await expect.poll(ask, { timeout: 10_000 }).toEqual({
      me: {
        name: 'Ada Lovelace',
        username: '@ada',
        reviews: [
          { body: 'Love it!', product: { name: 'Table', price: 899, shippingEstimate: 50, inStock: true } },
        ],
      },
      topProducts: [
        {
          name: 'Table',
          shippingEstimate: 50,
          reviews: [
            { body: 'Love it!', author: { username: '@ada' } },
            { body: 'Could be better.', author: { username: '@complete' } },
          ],
        },
        { name: 'Couch', shippingEstimate: 0, reviews: [] },
      ],
    });
    const { phase, subgraphs: served, ignored } = await front.supergraph();
    expect(phase).toBe('serving');
    expect(served.map(({ name }) => name)).toEqual(['accounts', 'inventory', 'products', 'reviews']);
    expect(served.find(({ name }) => name === 'inventory')?.contributes).toEqual([
      'Product.upc',
      'Product.weight',
      'Product.price',
      'Product.inStock',
      'Product.shippingEstimate',
    ]);
    expect(ignored).toEqual([]);
  });

  test('passes by a service in the registry that serves no subgraph', async () => {
    const other = await front.serve({ name: 'mailer', typeDefs: 'type Query { x: Int }', resolvers: {} });
    await other.register();
    await other.close();
    await expect
      .poll(async () => (await front.supergraph()).ignored, { timeout: 5_000 })
      .toMatchObject([{ service: 'mailer' }]);
    expect(await front.supergraph()).toMatchObject({ phase: 'serving', faults: [] });
    const warnings = front
      .log('gateway')
      .split('\n')
      .filter(line => line.includes('"level":"warn"') && line.includes('"application":"mailer"'));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/registered, and not in the graph: The SDL of mailer .* ECONNREFUSED/);
  });
});
