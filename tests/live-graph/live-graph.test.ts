import { afterAll, describe, expect, test } from 'vitest';
import { serveTestSubgraph, type TestSubgraph } from '../helpers/subgraph.ts';
import { useSystem } from '../helpers/system.ts';

const federation = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])`;
const reviews = `${federation}
  type Product @key(fields: "sku") { sku: ID! reviews: [Review!]! }
  type Review { stars: Int! text: String! }`;
const resolvers = {
  Product: {
    __resolveReference: ({ sku }: { sku: string }) => ({ sku }),
    reviews: ({ sku }: { sku: string }) => [{ stars: 5, text: `I love my ${sku}` }],
  },
};
const reviewsQuery = '{ product(sku: "MUG-BLACK") { name reviews { stars text } } }';

/** Time in which a subgraph that registers is in the graph, in ms. */
const targetMs = 2_000;

describe('the graph follows the registry while it is served', () => {
  const shop = useSystem({ env: { SUBGRAPH_REMOVAL_GRACE_MS: '500' } });
  const subgraphs: TestSubgraph[] = [];
  afterAll(() => Promise.all(subgraphs.map(subgraph => subgraph.close())));

  test('a fifth subgraph that registers is in the graph within two seconds, and goes when it deregisters', async () => {
    const anyone = await shop.client();
    const ask = async () => (await anyone.request(reviewsQuery)).data;
    expect(await ask()).toBeUndefined();

    const subgraph = await serveTestSubgraph({
      name: 'reviews',
      registryUrl: shop.system.registryUrl,
      typeDefs: reviews,
      resolvers,
    });
    subgraphs.push(subgraph);
    await subgraph.register();
    await expect.poll(ask, { timeout: targetMs, interval: 20 }).toEqual({
      product: { name: 'Stoneware mug, black', reviews: [{ stars: 5, text: 'I love my MUG-BLACK' }] },
    });

    await subgraph.deregister();
    await expect.poll(ask, { timeout: 5_000 }).toBeUndefined();
    expect((await anyone.request('{ product(sku: "MUG-BLACK") { name } }')).data).toEqual({
      product: { name: 'Stoneware mug, black' },
    });
  });

  test('a subgraph that changes its schema changes the graph', async () => {
    const anyone = await shop.client();
    const subgraph = await serveTestSubgraph({
      name: 'ratings',
      registryUrl: shop.system.registryUrl,
      typeDefs: `${federation} type Product @key(fields: "sku") { sku: ID! rating: Float }`,
      resolvers: { Product: { rating: () => 4.5 } },
    });
    subgraphs.push(subgraph);
    await subgraph.register();
    const ask = async (field: string) =>
      (await anyone.request(`{ product(sku: "MUG-BLACK") { ${field} } }`)).data;
    await expect.poll(() => ask('rating'), { timeout: targetMs }).toEqual({ product: { rating: 4.5 } });

    await subgraph.change(
      `${federation} type Product @key(fields: "sku") { sku: ID! rating: Float ratingCount: Int }`,
      { Product: { rating: () => 4.5, ratingCount: () => 17 } },
    );
    await expect
      .poll(() => ask('ratingCount'), { timeout: targetMs })
      .toEqual({ product: { ratingCount: 17 } });
  });

  test('a subgraph that does not compose changes nothing for clients, and operators are told why', async () => {
    const anyone = await shop.client();
    const subgraph = await serveTestSubgraph({
      name: 'broken',
      registryUrl: shop.system.registryUrl,
      typeDefs: `${federation} type Product @key(fields: "sku") { sku: ID! price: String }`,
      resolvers: {},
    });
    subgraphs.push(subgraph);
    await subgraph.register();

    const supergraph = async () => {
      const response = await fetch(shop.actuator('gateway', 'supergraph'));
      return (await response.json()) as { phase: string; faults: string[] };
    };
    await expect.poll(async () => (await supergraph()).phase, { timeout: targetMs }).toBe('stale');
    expect((await supergraph()).faults.join()).toContain('Product.price');
    expect((await anyone.request('{ product(sku: "MUG-BLACK") { price { amount } } }')).data).toEqual({
      product: { price: { amount: 1450 } },
    });

    await subgraph.deregister();
    await expect.poll(async () => (await supergraph()).phase, { timeout: 5_000 }).toBe('serving');
  });

  test('what services keep to themselves is not in the public graph', async () => {
    const anyone = await shop.client();
    const { errors } = await anyone.request('mutation { release(orderId: "x") }');
    expect(errors?.[0]?.message).toContain('Cannot query field "release" on type "Mutation"');
  });
});
