import { describe, expect, test } from 'vitest';
import { useFront } from '../helpers/front.ts';

const federation = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])';
const books = {
  name: 'books',
  typeDefs: `${federation} type Query { books: [Book!]! } type Book @key(fields: "id") { id: ID! title: String }`,
  resolvers: { Query: { books: () => [{ id: '1', title: 'Emma' }] } },
};
const ratings = {
  name: 'ratings',
  typeDefs: `${federation} type Book @key(fields: "id") { id: ID! stars: Int }`,
  resolvers: { Book: { stars: () => 5 } },
};
const query = '{ books { title stars } }';

describe('a gateway', () => {
  const front = useFront();

  test('listens without any subgraph, and says that it has no graph yet', async () => {
    const response = await fetch(front.graphUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query }),
    });
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'GRAPH_NOT_READY' } }] });
    expect((await front.actuator('health/readiness')).status).toBe(503);
    expect((await front.actuator('health/liveness')).status).toBe(200);
    expect(await front.supergraph()).toMatchObject({ phase: 'waiting', subgraphs: [] });
  });

  test('without a memory composes what is there, and says in its readiness what that is', async () => {
    await (await front.serve(books)).register();
    await expect
      .poll(async () => (await front.supergraph()).phase, { timeout: 10_000, interval: 1 })
      .toBe('serving');
    // What says that a graph is served says so when it is.
    expect(await front.anyone.request('{ books { title } }')).toEqual({
      data: { books: [{ title: 'Emma' }] },
    });
    const readiness = await front.actuator<{ components: { supergraph: { details: object } } }>(
      'health/readiness',
    );
    expect(readiness.status).toBe(200);
    expect(readiness.body.components.supergraph.details).toMatchObject({
      subgraphs: [expect.stringMatching(/^books@/)],
      absent: [],
    });
  });

  test('that starts while a subgraph is down serves the rest, and null with the name of the one that is down', async () => {
    const lost = await front.serve({ ...ratings, leaseSeconds: 2 });
    await lost.register();
    await expect
      .poll(async () => (await front.anyone.request(query)).data, { timeout: 10_000 })
      .toEqual({ books: [{ title: 'Emma', stars: 5 }] });
    await lost.close();
    await expect
      .poll(async () => (await front.supergraph()).absent, { timeout: 10_000 })
      .toEqual(['ratings']);

    await front.gateway.stop('SIGKILL');
    await front.startGateway();

    await expect
      .poll(async () => await front.anyone.request(query).catch(() => undefined), { timeout: 10_000 })
      .toEqual({
        data: { books: [{ title: 'Emma', stars: null }] },
        errors: [
          expect.objectContaining({
            extensions: { code: 'SUBGRAPH_UNAVAILABLE', subgraph: 'ratings' },
          }),
        ],
      });
    const again = await front.serve(ratings);
    await again.register();
    await expect
      .poll(async () => await front.anyone.request(query), { timeout: 5_000 })
      .toEqual({ data: { books: [{ title: 'Emma', stars: 5 }] } });
  });

  test('keeps a subgraph that is lost, until an operator takes it out', async () => {
    const lost = await front.serve({
      name: 'prices',
      typeDefs: `${federation} type Book @key(fields: "id") { id: ID! price: Int }`,
      resolvers: { Book: { price: () => 7 } },
      leaseSeconds: 2,
    });
    await lost.register();
    const ask = () => front.anyone.request('{ books { price } }');
    await expect.poll(async () => (await ask()).data, { timeout: 10_000 }).toEqual({ books: [{ price: 7 }] });
    expect((await front.actuator('supergraph/subgraphs/prices', { method: 'DELETE' })).status).toBe(409);
    await lost.close();
    await expect.poll(async () => (await front.supergraph()).absent, { timeout: 10_000 }).toEqual(['prices']);
    expect((await ask()).data).toEqual({ books: [{ price: null }] });

    expect((await front.actuator('supergraph/subgraphs/prices', { method: 'DELETE' })).status).toBe(200);
    expect((await ask()).errors?.[0]?.message).toContain('Cannot query field "price"');
    expect((await front.actuator('supergraph/subgraphs/prices', { method: 'DELETE' })).status).toBe(404);
  });
});
