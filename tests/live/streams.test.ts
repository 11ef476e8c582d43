import { createClient as createSseClient } from 'graphql-sse';
import { createClient } from 'graphql-ws';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { createGraphClient, type GraphClient, type GraphResult } from '../../dev/graph-client.ts';
import { useFront } from '../helpers/front.ts';
import { metricOf } from '../helpers/metrics.ts';
import type { TestSubgraph } from '../helpers/subgraph.ts';
import {
  createCatalogue,
  createFeed,
  pricesSchema,
  serveCatalogue,
  servePrices,
  waitForSubgraphs,
} from './feed.ts';

interface Changed {
  readonly priceChanged: { readonly cursor?: string; readonly amount: number };
}

const amounts =
  'subscription ($after: String) { priceChanged(after: $after) { ... on PriceChange { amount } } }';
const named =
  'subscription ($after: String) { priceChanged(after: $after) { ... on PriceChange { amount product { name } } } }';

describe('live operations', () => {
  const front = useFront();
  const feed = createFeed();
  const catalogue = createCatalogue();
  let catalogueSubgraph: TestSubgraph;
  const instances: TestSubgraph[] = [];
  const live = (name: string, labels?: Record<string, string>) =>
    metricOf(front.gateway, `gateway_live_${name}`, labels);

  /** Takes the amounts of the next results. */
  async function take(results: AsyncIterator<GraphResult<Changed>>, count: number): Promise<number[]> {
    const taken: number[] = [];
    while (taken.length < count) {
      const { value, done } = await results.next();
      if (done || !value.data || value.errors)
        throw new Error(`A result was expected, but got ${JSON.stringify(value)}`);
      taken.push(value.data.priceChanged.amount);
    }
    return taken;
  }

  /** Waits until that many subscriptions are open at the subgraph. */
  const readers = (count: number) => expect.poll(() => feed.readers, { timeout: 5_000 }).toBe(count);

  const clients: Pick<GraphClient, 'close'>[] = [];
  function connect(token?: string): GraphClient {
    const client = createGraphClient(front.graphUrl, token);
    clients.push(client);
    return client;
  }
  /** Subscribes over a WebSocket that was opened with headers. */
  function listenWith(headers: Record<string, string>) {
    class SocketWithHeaders extends WebSocket {
      constructor(url: string, protocol: string) {
        super(url, protocol, { headers });
      }
    }
    const url = front.graphUrl.replace('http', 'ws');
    const client = createClient({ url, webSocketImpl: SocketWithHeaders, retryAttempts: 0 });
    clients.push({ close: async () => client.dispose() });
    return client.iterate({ query: named }) as unknown as AsyncIterator<GraphResult<Changed>>;
  }
  afterEach(async () => {
    await Promise.all(clients.splice(0).map(client => client.close()));
    await vi.waitFor(() => expect(feed.readers).toBe(0), 5_000);
  });

  beforeAll(async () => {
    instances.push(await servePrices(front, feed, 'one'), await servePrices(front, feed, 'two'));
    catalogueSubgraph = await serveCatalogue(front, catalogue.resolvers);
    await waitForSubgraphs(front, 2);
  });

  test('share one subscription of the subgraph and one run of the plan, if they are the same', async () => {
    const subscriptions = Array.from({ length: 5 }, () => connect().subscribe<Changed>(named));
    const firsts = subscriptions.map(subscription => take(subscription, 1));
    await expect.poll(() => live('operations', { transport: 'websocket' })).toBe(5);
    await readers(1);
    expect(await live('upstreams', { subgraph: 'prices' })).toBe(1);
    catalogueSubgraph.takeRequests();

    feed.change(1);

    expect(await Promise.all(firsts)).toEqual(Array.from({ length: 5 }, () => [1]));
    expect(catalogueSubgraph.takeRequests()).toHaveLength(1);
    await Promise.all(clients.map(client => client.close()));
    await expect.poll(() => live('operations', { transport: 'websocket' })).toBe(0);
  });

  test('do not share it with other callers, other variables, or another text', async () => {
    const token = await front.keys.mintToken('alice');
    const alice = connect(token);
    const anyone = connect();
    const bySku = 'subscription ($sku: ID) { priceChanged(sku: $sku) { ... on PriceChange { amount } } }';
    const subscriptions = [
      anyone.subscribe<Changed>(amounts),
      alice.subscribe<Changed>(amounts),
      anyone.subscribe<Changed>(bySku, { sku: 'PEN' }),
      anyone.subscribe<Changed>(bySku, { sku: 'INK' }),
    ];
    const firsts = subscriptions.map(subscription => take(subscription, 1));
    await readers(4);
    feed.change(2, { sku: 'PEN' });
    feed.change(3, { sku: 'INK' });
    expect(await Promise.all(firsts)).toEqual([[2], [2], [2], [3]]);
  });

  test('fetch with the headers of their client, and are shared only where these are the same', async () => {
    const traced = (id: string) => ({ traceparent: `00-${id.repeat(32)}-${id.repeat(16)}-01` });
    const subscriptions = [
      listenWith({ 'accept-language': 'de', ...traced('1') }),
      listenWith({ 'accept-language': 'de', ...traced('2') }),
      listenWith({ 'accept-language': 'fr' }),
    ];
    const firsts = subscriptions.map(subscription => take(subscription, 1));
    const stream = createSseClient({
      url: front.graphUrl,
      headers: { 'accept-language': 'de', ...traced('3') },
    });
    const streamed = stream.iterate<Changed['priceChanged']>({ query: named }).next();
    await expect.poll(() => live('operations')).toBe(4);
    await readers(2);
    catalogueSubgraph.takeRequests();

    feed.change(4);

    expect(await Promise.all(firsts)).toEqual([[4], [4], [4]]);
    expect((await streamed).value).toMatchObject({ data: { priceChanged: { amount: 4 } } });
    const requests = catalogueSubgraph.takeRequests();
    expect(requests).toHaveLength(2);
    expect(new Set(requests.map(({ headers }) => headers['accept-language']))).toEqual(new Set(['de', 'fr']));
    expect(requests.filter(({ headers }) => headers['traceparent'])).toEqual([]);
    stream.dispose();
  });

  test('begin after a cursor, and join those that stand where they have arrived', async () => {
    const client = connect();
    const current = client.subscribe<Changed>(amounts);
    const taken = take(current, 3);
    await readers(1);
    const before = feed.cursor;
    for (const amount of [11, 12, 13]) feed.change(amount);
    expect(await taken).toEqual([11, 12, 13]);

    const late = client.subscribe<Changed>(amounts, { after: before });
    expect(await take(late, 3)).toEqual([11, 12, 13]);
    // Both stand at the same event now: one subscription is enough for them.
    await readers(1);
    feed.change(14);
    expect(await Promise.all([take(current, 1), take(late, 1)])).toEqual([[14], [14]]);

    const same = client.subscribe<Changed>(amounts, { after: feed.cursor });
    const next = take(same, 1);
    await expect.poll(() => live('operations', { transport: 'websocket' })).toBe(3);
    await readers(1);
    feed.change(15);
    expect(await next).toEqual([15]);
    expect(await Promise.all([take(current, 1), take(late, 1)])).toEqual([[15], [15]]);
  });

  test('an event whose fields can not be fetched tells so, and the next ones come', async () => {
    const client = connect();
    const results = client.subscribe(named);
    const first = results.next();
    await readers(1);
    catalogue.fails = true;
    feed.change(21);
    expect((await first).value).toMatchObject({
      data: { priceChanged: { amount: 21, product: { name: null } } },
      errors: [{ message: 'The catalogue is closed', extensions: { subgraph: 'catalogue' } }],
    });
    catalogue.fails = false;
    feed.change(22);
    expect((await results.next()).value).toEqual({
      data: { priceChanged: { amount: 22, product: { name: 'a pen' } } },
    });
  });

  test('take directives, variables, aliases, fragments and interfaces as queries do', async () => {
    const client = connect();
    const results = client.subscribe(
      `subscription Watch($sku: ID! = "PEN", $named: Boolean!, $noted: Boolean = false) { ...Changes }
       fragment Changes on Subscription {
         seen: priceChanged(sku: $sku) { __typename at: cursor ...Noted ...Change }
       }
       fragment Noted on PriceEvent { note @include(if: $noted) }
       fragment Change on PriceChange { price: amount thing: product { sku name @include(if: $named) again: sku @skip(if: $named) } }`,
      { named: true },
    );
    const first = results.next();
    await readers(1);
    feed.change(31, { sku: 'INK' });
    feed.change(32, { note: 'cheaper' });
    const at = feed.cursor;
    feed.correct('nothing has changed');
    expect((await first).value).toEqual({
      data: {
        seen: { __typename: 'PriceChange', at, price: 32, thing: { sku: 'PEN', name: 'a pen' } },
      },
    });
    expect((await results.next()).value).toEqual({
      data: { seen: { __typename: 'Correction', at: feed.cursor } },
    });
  });

  const shapes = `
    fragment Shape on PriceEvent { __typename product { ...Named } }
    fragment Named on Product { sku title: name @include(if: $named) }
    fragment Change on PriceChange { price: amount note @skip(if: $named) }`;

  test.each([
    {
      kind: 'an interface',
      query: `subscription ($named: Boolean!) { event: priceChanged { ...Shape ...Change ... on Correction { why: note } } } ${shapes}`,
    },
    {
      kind: 'a union',
      query: `subscription ($named: Boolean!) { event: told { ... on PriceEvent { ...Shape } ...Change ... on Correction { why: note } } } ${shapes}`,
    },
  ])(
    'whose event is $kind have fields of other subgraphs, and go on when their instance dies',
    async ({ query }) => {
      const client = connect();
      const [full, sparse] = [true, false].map(isNamed => client.subscribe(query, { named: isNamed }));
      const firsts = [full?.next(), sparse?.next()];
      await readers(2);
      feed.change(35, { note: 'cheaper' });
      expect((await firsts[0])?.value).toEqual({
        data: { event: { __typename: 'PriceChange', product: { sku: 'PEN', title: 'a pen' }, price: 35 } },
      });
      expect((await firsts[1])?.value).toEqual({
        data: { event: { __typename: 'PriceChange', product: { sku: 'PEN' }, price: 35, note: 'cheaper' } },
      });

      for (const [index, name] of ['one', 'two'].entries()) {
        await instances[index]?.close();
        feed.correct(`after ${name}`);
        expect((await full?.next())?.value).toEqual({
          data: {
            event: {
              __typename: 'Correction',
              product: { sku: 'PEN', title: 'a pen' },
              why: `after ${name}`,
            },
          },
        });
        instances[index] = await servePrices(front, feed, name);
      }
    },
  );

  test('are planned once for a graph, however many clients and events there are', async () => {
    const plans = () => live('plans_total', { subgraph: 'prices' });
    const before = await plans();
    const query =
      'subscription Planned($sku: ID) { priceChanged(sku: $sku) { ... on PriceChange { amount product { name } } } }';
    const [pens, inks, all] = ['PEN', 'INK', null].map(sku => connect().subscribe<Changed>(query, { sku }));
    if (!pens || !inks || !all) throw new Error('Three subscriptions were expected');
    const taken = Promise.all([take(pens, 2), take(inks, 2), take(all, 4)]);
    await readers(3);
    for (const amount of [36, 37]) for (const sku of ['PEN', 'INK']) feed.change(amount, { sku });
    expect(await taken).toEqual([
      [36, 37],
      [36, 37],
      [36, 36, 37, 37],
    ]);
    expect(await plans()).toBe(before + 1);
  });

  test('go on at another instance when theirs dies, and miss nothing', async () => {
    const client = connect();
    const results = client.subscribe<Changed>(amounts);
    const first = take(results, 1);
    await readers(1);
    feed.takeStarts();
    const resumes = await live('upstream_resumes_total', { subgraph: 'prices' });
    feed.change(41);
    expect(await first).toEqual([41]);

    // The one that has the subscription is the one whose end is noticed.
    for (const [index, instance] of instances.entries()) {
      await instance.close();
      feed.change(42 + index * 2);
      feed.change(43 + index * 2);
      if (index === 0) expect(await take(results, 2)).toEqual([42, 43]);
      instances[index] = await servePrices(front, feed, ['one', 'two'][index] ?? '');
    }
    expect(await take(results, 2)).toEqual([44, 45]);
    expect(await live('upstream_resumes_total', { subgraph: 'prices' })).toBeGreaterThan(resumes);
  });

  test('end with the subgraph when they can not be resumed', async () => {
    const client = connect();
    const results = client.subscribe<{ ticked: { number: number } }>(
      'subscription { ticked { number product { name } } }',
    );
    const first = results.next();
    await expect.poll(() => live('upstreams', { subgraph: 'prices' })).toBe(1);
    const ticking = setInterval(feed.tick, 20);
    expect((await first).value).toMatchObject({ data: { ticked: { product: { name: 'a pen' } } } });
    clearInterval(ticking);
    const ended = (async () => {
      for await (const { errors } of results) if (errors) return errors;
      return undefined;
    })().catch((error: unknown) => error);
    for (const instance of instances) await instance.close();
    expect(await ended).toMatchObject([
      {
        message:
          "The connection to the subgraph 'prices' was lost. Subscribe again; what came since is not known.",
        extensions: { code: 'SUBGRAPH_UNAVAILABLE', subgraph: 'prices' },
      },
    ]);
    instances.splice(0, 2, await servePrices(front, feed, 'one'), await servePrices(front, feed, 'two'));
  });

  test('go on in a graph that has changed, if they are valid there, and else say so', async () => {
    const client = connect();
    const stays = client.subscribe<Changed>(named);
    const first = take(stays, 1);
    const goes = client.subscribe(
      'subscription { priceChanged { note ... on PriceChange { product { colour } } } }',
    );
    const refused = goes.next().catch((error: unknown) => error);
    expect(await refused).toMatchObject([{ extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } }]);
    await readers(1);
    feed.change(51);
    expect(await first).toEqual([51]);

    await catalogueSubgraph.close();
    await catalogueSubgraph.deregister();
    catalogueSubgraph = await serveCatalogue(front, catalogue.resolvers, 'colour: String');
    const coloured = () => front.anyone.request('{ product(sku: "PEN") { colour } }');
    await expect.poll(async () => (await coloured()).errors, { timeout: 10_000 }).toBeUndefined();

    const colours = client.subscribe(
      'subscription { priceChanged { note ... on PriceChange { product { colour } } } }',
    );
    const colour = colours.next();
    await readers(2);
    feed.change(52);
    expect(await take(stays, 1)).toEqual([52]);
    expect((await colour).value).toMatchObject({ data: { priceChanged: { product: { colour: 'blue' } } } });

    const ended = colours.next().catch((error: unknown) => error);
    await catalogueSubgraph.close();
    await catalogueSubgraph.deregister();
    catalogueSubgraph = await serveCatalogue(front, catalogue.resolvers);
    expect(await ended).toMatchObject([
      {
        message: expect.stringMatching(/graph has changed.*colour/),
        extensions: { code: 'GRAPHQL_VALIDATION_FAILED' },
      },
    ]);
    await readers(1);
    feed.change(53);
    expect(await take(stays, 1)).toEqual([53]);
  });

  test('take a new version of their own subgraph without a gap', async () => {
    const client = connect();
    const results = client.subscribe<Changed>(amounts);
    const taken = take(results, 200);
    await readers(1);
    let amount = 1_000;
    const changing = setInterval(() => feed.change(amount++), 5);
    const more = 'currency: String!';
    const before = [...instances];
    instances.splice(
      0,
      2,
      await servePrices(front, feed, 'three', more),
      await servePrices(front, feed, 'four', more),
    );
    for (const instance of before) {
      await instance.deregister();
      await instance.close();
    }
    const all = await taken;
    clearInterval(changing);
    expect(all).toEqual(Array.from({ length: 200 }, (_, index) => 1_000 + index));
  });
});

describe('a subscription whose instance dies before it has said where the events begin', () => {
  const front = useFront();
  const feed = createFeed();

  test('is opened anew at another one, and misses nothing', async () => {
    let asked = 0;
    const never = () => {
      asked += 1;
      return new Promise(() => {});
    };
    const silent = await front.serve({
      name: 'prices',
      instance: 'silent',
      typeDefs: pricesSchema(),
      resolvers: { ...feed.resolvers, Subscription: { priceChanged: { subscribe: never } } },
      metadata: { subgraph: 'prices', 'schema.hash': 'prices0' },
    });
    await silent.register();
    await waitForSubgraphs(front, 1);
    const client = createGraphClient(front.graphUrl);
    feed.change(1);
    const results = client.subscribe<Changed>(amounts, { after: feed.cursor });
    const first = results.next();
    await expect.poll(() => asked).toBe(1);
    feed.change(2);
    await servePrices(front, feed, 'other');
    const serving = async () => (await front.supergraph()).subgraphs[0]?.instances.serving;
    await expect.poll(serving, { timeout: 5_000 }).toBe(2);
    await silent.close();
    feed.change(3);
    expect([(await first).value, (await results.next()).value]).toEqual([
      { data: { priceChanged: { amount: 2 } } },
      { data: { priceChanged: { amount: 3 } } },
    ]);
    await client.close();
  });
});
