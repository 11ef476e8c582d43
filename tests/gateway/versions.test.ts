import { afterAll, describe, expect, test } from 'vitest';
import { type Front, useFront } from '../helpers/front.ts';

const federation = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])';
const items = `${federation} type Query { items: [Item!]! } type Item @key(fields: "id") { id: ID! name: String }`;
const stock = (fields: string) => `${federation}
  type Mutation { take(id: ID!): Item } type Item @key(fields: "id") { id: ID! ${fields} }`;
const itemResolvers = {
  Query: { items: () => [{ id: '1', name: 'pen' }] },
  Item: { __resolveReference: ({ id }: { id: string }) => ({ id, name: 'pen' }) },
};
const stockResolvers = (instance: string) => ({
  Mutation: { take: (_root: unknown, { id }: { id: string }) => ({ id }) },
  Item: { count: () => 3, place: () => instance, colour: () => instance },
});

function serveStock(front: Front, instance: string, hash: string, fields: string) {
  return front.serve({
    name: 'stock',
    instance,
    typeDefs: stock(fields),
    resolvers: stockResolvers(instance),
    metadata: { subgraph: 'stock', 'schema.hash': hash },
  });
}

describe('versions of a subgraph', () => {
  const front = useFront({ env: { SUBGRAPH_REMOVAL_GRACE_MS: '300' } });
  const query = (field: string) => `{ items { name ${field} } }`;
  const askFor = async (field: string) => (await front.anyone.request(query(field))).data;
  const stockView = async () => (await front.supergraph()).subgraphs.find(({ name }) => name === 'stock');

  test('a new one that composes is adopted, and only its instances get requests', async () => {
    await (await front.serve({ name: 'items', typeDefs: items, resolvers: itemResolvers })).register();
    const first = await serveStock(front, 'one', 'v1', 'count: Int');
    await first.register();
    await expect
      .poll(() => askFor('count'), { timeout: 10_000 })
      .toEqual({ items: [{ name: 'pen', count: 3 }] });

    const second = await serveStock(front, 'two', 'v2', 'count: Int place: String');
    await second.register();
    await expect
      .poll(() => askFor('place'), { timeout: 5_000 })
      .toEqual({ items: [{ name: 'pen', place: 'two' }] });
    expect(await stockView()).toMatchObject({ hash: 'v2', instances: { up: 2, serving: 1 } });

    first.takeRequests();
    second.takeRequests();
    for (let count = 0; count < 6; count++) await askFor('count');
    expect(first.takeRequests()).toEqual([]);
    expect(second.takeRequests()).toHaveLength(6);
  });

  test('one that does not compose is held back, gets no request, and is told of with the reason', async () => {
    const third = await serveStock(front, 'three', 'v3', 'name: Int');
    await third.register();
    await expect.poll(async () => (await stockView())?.heldBack, { timeout: 5_000 }).toEqual(['v3']);
    const { phase, faults } = await front.supergraph();
    expect(phase).toBe('stale');
    expect(faults.join()).toMatch(/'stock' at v3 is held back, because it does not compose: .*Item\.name/);
    for (let count = 0; count < 6; count++)
      expect(await askFor('place')).toEqual({ items: [{ name: 'pen', place: 'two' }] });
    expect(third.takeRequests()).toEqual([]);

    const text = await front.metrics();
    expect(text).toContain('gateway_supergraph_phase{phase="stale"} 1');
    expect(text).toContain('gateway_supergraph_faults{kind="held_back"} 1');

    await third.deregister();
    await expect.poll(async () => (await front.supergraph()).phase, { timeout: 5_000 }).toBe('serving');
  });

  test('every composition is in the history, with what changed for clients; an operator can go back and forth', async () => {
    interface History {
      readonly launches: readonly {
        readonly id: number;
        readonly cause: string;
        readonly outcome: string;
        readonly changed: readonly object[];
        readonly changes: readonly { readonly severity: string; readonly path: string }[];
      }[];
    }
    const fourth = await serveStock(front, 'four', 'v4', 'count: Int colour: String');
    await fourth.register();
    await expect.poll(async () => (await stockView())?.hash, { timeout: 5_000 }).toBe('v4');
    const { launches } = (await front.actuator<History>('supergraph/history')).body;
    const [latest, previous] = launches.filter(({ outcome }) => outcome === 'served');
    expect(latest).toMatchObject({ cause: 'registry', changed: [{ name: 'stock', from: 'v2', to: 'v4' }] });
    expect(latest?.changes.filter(({ severity }) => severity === 'breaking')).toMatchObject([
      { path: 'Item.place' },
    ]);
    expect(launches.some(({ outcome }) => outcome === 'failed')).toBe(true);

    const back = await front.actuator('supergraph', {
      method: 'POST',
      body: JSON.stringify({ rollBackTo: previous?.id }),
    });
    expect(back).toMatchObject({ status: 200, body: { phase: 'pinned' } });
    expect(await askFor('place')).toEqual({ items: [{ name: 'pen', place: 'two' }] });
    await front.gateway.stop('SIGKILL');
    await front.startGateway();
    await expect.poll(async () => (await front.supergraph()).phase, { timeout: 10_000 }).toBe('pinned');

    const forth = await front.actuator('supergraph', {
      method: 'POST',
      body: JSON.stringify({ follow: true }),
    });
    expect(forth).toMatchObject({ status: 200, body: { phase: 'serving' } });
    expect(await askFor('colour')).toEqual({ items: [{ name: 'pen', colour: 'four' }] });
  });

  test('one whose SDL can not be read is told of, and the graph goes on', async () => {
    const lost = await serveStock(front, 'lost', 'v9', 'count: Int');
    await lost.close();
    await lost.register();
    await expect.poll(async () => (await front.supergraph()).phase, { timeout: 5_000 }).toBe('stale');
    const fault = expect.stringMatching(
      new RegExp(
        `The SDL of stock could not be read at http://127.0.0.1:${lost.port}/graphql: .*ECONNREFUSED`,
      ),
    ) as string;
    expect((await front.supergraph()).faults).toEqual([fault]);
    const health = await front.actuator<{ components: { supergraph: object } }>('health');
    expect(health).toMatchObject({
      status: 200,
      body: { components: { supergraph: { details: { phase: 'stale', faults: [fault] } } } },
    });
    expect(await front.metrics()).toContain('gateway_supergraph_faults{kind="unreadable"} 1');
    expect(front.log('gateway')).toMatch(/"level":"warn".*The SDL of stock could not be read/);
    expect(await askFor('colour')).toEqual({ items: [{ name: 'pen', colour: 'four' }] });
    await lost.deregister();
    await expect.poll(async () => (await front.supergraph()).phase, { timeout: 5_000 }).toBe('serving');
  });

  test.each([
    [{ rollBackTo: 99_999 }, 404],
    [{ rollBackTo: 'yesterday' }, 400],
    [{}, 400],
  ])('the command %j is answered with %d', async (command, status) => {
    const answer = await front.actuator('supergraph', { method: 'POST', body: JSON.stringify(command) });
    expect(answer.status).toBe(status);
    expect((await front.supergraph()).phase).toBe('serving');
  });
});

describe('a rolling upgrade with a change of the schema, under load of queries and mutations', () => {
  const front = useFront({ env: { SUBGRAPH_REMOVAL_GRACE_MS: '300' } });
  let asking = true;
  afterAll(() => {
    asking = false;
  });

  test('costs no failed request', async () => {
    await (await front.serve({ name: 'items', typeDefs: items, resolvers: itemResolvers })).register();
    const before = [
      await serveStock(front, 'one', 'v1', 'count: Int'),
      await serveStock(front, 'two', 'v1', 'count: Int'),
    ];
    for (const instance of before) await instance.register();
    const ask = () => front.anyone.request('{ items { name count } }');
    await expect.poll(async () => (await ask()).errors, { timeout: 10_000 }).toBeUndefined();
    const expected = JSON.stringify({ data: { items: [{ name: 'pen', count: 3 }] } });
    const write = () => front.anyone.request('mutation { take(id: "1") { name count } }');
    const expectedOfWrite = JSON.stringify({ data: { take: { name: 'pen', count: 3 } } });
    const answers: string[] = [];
    const writeAnswers: string[] = [];
    const clients = [
      ...Array.from({ length: 3 }, async () => {
        while (asking) answers.push(JSON.stringify(await ask()));
      }),
      (async () => {
        while (asking) writeAnswers.push(JSON.stringify(await write()));
      })(),
    ];

    const someAnswers = async () => {
      for (const some of [answers, writeAnswers]) {
        const before = some.length;
        await expect.poll(() => some.length, { timeout: 10_000 }).toBeGreaterThan(before + 10);
      }
    };

    for (const [index, name] of ['one', 'two'].entries()) {
      await someAnswers();
      await before[index]?.deregister();
      const next = await serveStock(front, `new-${name}`, 'v2', 'count: Int place: String');
      await next.register();
      await expect
        .poll(async () => (await front.supergraph()).subgraphs.find(each => each.name === 'stock'), {
          timeout: 5_000,
        })
        .toMatchObject({ hash: 'v2', instances: { serving: index + 1 } });
      await before[index]?.close();
    }
    await someAnswers();
    asking = false;
    await Promise.all(clients);

    expect(answers.filter(answer => answer !== expected)).toEqual([]);
    expect(writeAnswers.filter(answer => answer !== expectedOfWrite)).toEqual([]);
  });
});

describe('an operation that is under way when the graph changes', () => {
  const front = useFront();

  test('ends on the schema that it began with', async () => {
    let release = () => {};
    const held = new Promise<void>(resolve => {
      release = resolve;
    });
    let isAsked = false;
    const base = await front.serve({
      name: 'items',
      typeDefs: items.replace('items:', 'slow: [Item!]! items:'),
      resolvers: {
        ...itemResolvers,
        Query: {
          ...itemResolvers.Query,
          async slow() {
            isAsked = true;
            await held;
            return itemResolvers.Query.items();
          },
        },
      },
    });
    await base.register();
    await (await serveStock(front, 'one', 'v1', 'count: Int')).register();
    await expect
      .poll(async () => (await front.anyone.request('{ items { count } }')).errors, { timeout: 10_000 })
      .toBeUndefined();
    const underWay = front.anyone.request('{ slow { name count } }');
    await expect.poll(() => isAsked).toBe(true);

    await (await serveStock(front, 'two', 'v2', 'place: String')).register();
    await expect
      .poll(async () => (await front.anyone.request('{ items { place } }')).data, { timeout: 10_000 })
      .toEqual({ items: [{ place: 'two' }] });
    expect((await front.anyone.request('{ items { count } }')).errors?.[0]?.message).toContain(
      'Cannot query field "count"',
    );
    release();
    expect(await underWay).toEqual({ data: { slow: [{ name: 'pen', count: 3 }] } });
  });
});

describe('under load, and without a failed request,', () => {
  const front = useFront();

  /** Asks all the time while something happens. @returns the answers that were not as expected */
  async function askWhile(happen: (someAnswers: () => Promise<void>) => Promise<void>): Promise<string[]> {
    const answers: string[] = [];
    const expected = JSON.stringify({ data: { items: [{ name: 'pen', count: 3 }] } });
    const ask = async () => JSON.stringify(await front.anyone.request('{ items { name count } }'));
    await expect.poll(ask, { timeout: 10_000 }).toBe(expected);
    let happening = true;
    const clients = Array.from({ length: 4 }, async () => {
      while (happening) answers.push(await ask());
    });
    const someAnswers = async () => {
      const before = answers.length;
      await expect.poll(() => answers.length, { timeout: 10_000 }).toBeGreaterThan(before + 10);
    };
    await someAnswers();
    await happen(someAnswers);
    await someAnswers();
    happening = false;
    await Promise.all(clients);
    return answers.filter(answer => answer !== expected);
  }

  test('the newest version stops while an older one runs', async () => {
    await (await front.serve({ name: 'items', typeDefs: items, resolvers: itemResolvers })).register();
    const older = await serveStock(front, 'one', 'v1', 'count: Int');
    await older.register();
    const hash = async () => (await front.supergraph()).subgraphs.find(({ name }) => name === 'stock')?.hash;
    await expect.poll(hash, { timeout: 10_000 }).toBe('v1');
    const newest = await serveStock(front, 'two', 'v2', 'count: Int place: String');
    await newest.register();
    await expect.poll(hash, { timeout: 10_000 }).toBe('v2');
    const failed = await askWhile(async () => {
      await newest.deregister();
      await expect.poll(hash, { timeout: 5_000 }).toBe('v1');
      await newest.close();
    });
    expect(failed).toEqual([]);
    expect(older.takeRequests().length).toBeGreaterThan(0);
    await older.deregister();
  });

  test('services that do not say what they serve register anew after the registry was killed', async () => {
    const pens = await front.serve({
      name: 'stock',
      typeDefs: stock('count: Int'),
      resolvers: stockResolvers('plain'),
    });
    await pens.register();
    const failed = await askWhile(async someAnswers => {
      for (let restart = 0; restart < 3; restart++) {
        await front.discovery.stop('SIGKILL');
        await front.startDiscovery();
        await pens.register();
        await someAnswers();
      }
    });
    expect(failed).toEqual([]);
  });
});
