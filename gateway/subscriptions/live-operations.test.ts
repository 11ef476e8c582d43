import type { ExecutionResult } from 'graphql';
import { describe, expect, test, vi } from 'vitest';
import { anonymous, type OperationCaller } from '../security/operation-caller.ts';
import type { SubgraphClient } from '../supergraph/graph/graph.ts';
import { isLive, type LiveClient } from './live-operations.ts';
import type { LiveOperation } from './live-stream.ts';
import type { LiveResults } from './results.ts';
import { priceTypes, startGraph, startGraphOf, startLiveOperations } from './testing.ts';

const query =
  'subscription ($sku: ID!, $after: String) { priceChanged(sku: $sku, after: $after) { cursor amount } }';
const ada = { ...anonymous, key: 'ada' } as OperationCaller;
const clientOf = (given: Partial<LiveClient> = {}): LiveClient => ({
  caller: anonymous,
  address: '',
  headers: {},
  transport: 'websocket',
  ...given,
});
const change = (amount: number) => ({ data: { priceChanged: { cursor: String(amount), amount } } });

async function start() {
  const live = startLiveOperations({ graph: await startGraph() });
  const read = (variables: Record<string, unknown>): LiveOperation => {
    const operation = live.operations.read({ query, variables }, anonymous);
    if (!isLive(operation)) throw new Error('The operation is no subscription');
    return operation;
  };
  return {
    ...live,
    subscribe: (given: Partial<LiveClient> = {}, variables: Record<string, unknown> = { sku: 'MUG' }) =>
      live.operations.subscribe(read(variables), clientOf(given), () => {}),
  };
}

async function changeOf(results: LiveResults): Promise<unknown> {
  const { value } = (await results.next()) as IteratorYieldResult<ExecutionResult>;
  return value.data?.['priceChanged'];
}

describe('subscriptions', () => {
  test('that ask for the same share one of the subgraph, and each gets every event', async () => {
    const { subscribe, openings } = await start();
    const both = [subscribe(), subscribe({ transport: 'sse' })];
    expect(openings).toHaveLength(1);
    openings[0]?.sink.opened();
    openings[0]?.sink.event(change(5));
    expect(await Promise.all(both.map(changeOf))).toMatchObject([{ amount: 5 }, { amount: 5 }]);
  });

  test('ask for the entities of events that come together at once', async () => {
    const client = vi.fn<SubgraphClient>(async ({ representations = [] }) => {
      const keys = representations.map(text => JSON.parse(text) as { sku: string });
      return { data: { _entities: keys.map(({ sku }) => ({ name: `the ${sku}` })) } };
    });
    const product = 'type Product @key(fields: "sku") { sku: ID!';
    const types = {
      sales: `type Query { sold: Int } type Subscription { sold: Product } ${product} }`,
      catalogue: `type Query { products: Int } ${product} name: String }`,
    };
    const { operations, openings } = startLiveOperations({ graph: await startGraphOf(types, client) });
    const operation = operations.read({ query: 'subscription { sold { name } }' }, anonymous);
    const results = operations.subscribe(operation as LiveOperation, clientOf(), () => {});
    openings[0]?.sink.opened();
    const skus = ['MUG', 'CUP', 'MUG', 'PEN'];
    for (const sku of skus) openings[0]?.sink.event({ data: { sold: { __typename: 'Product', sku } } });
    for (const sku of skus)
      expect((await results.next()).value).toEqual({ data: { sold: { name: `the ${sku}` } } });
    expect(client).toHaveBeenCalledTimes(1);
    expect(client.mock.calls[0]?.[0].representations).toHaveLength(3);
  });

  test.each([
    ['another caller', { caller: ada }, { sku: 'MUG' }],
    ['other headers', { headers: { 'accept-language': 'de' } }, { sku: 'MUG' }],
    ['other variables', {}, { sku: 'CUP' }],
    ['another cursor', {}, { sku: 'MUG', after: '7' }],
  ])('of %s have one of their own', async (_of, given, variables) => {
    const { subscribe, openings } = await start();
    subscribe();
    subscribe(given as Partial<LiveClient>, variables);
    expect(openings).toHaveLength(2);
    expect(openings[1]?.subscription.variables['sku']).toBe(variables.sku);
  });

  test('close that of the subgraph when the last client has left', async () => {
    const { subscribe, openings } = await start();
    const [one, other] = [subscribe(), subscribe()];
    await one?.return();
    expect(openings[0]?.isClosed).toBe(false);
    await other?.return();
    expect(openings[0]?.isClosed).toBe(true);
  });

  test('tell once that they have ended, with the error of a client that reads too slowly', async () => {
    const live = startLiveOperations({ graph: await startGraph(), bufferEvents: 1 });
    const onEnded = vi.fn<(overflow?: unknown) => void>();
    const operation = live.operations.read({ query, variables: { sku: 'MUG' } }, anonymous) as LiveOperation;
    const results = live.operations.subscribe(operation, clientOf(), onEnded);
    const sink = live.openings[0]?.sink;
    sink?.opened();
    for (const amount of [1, 2]) sink?.event(change(amount));
    await vi.waitFor(() => expect(onEnded).toHaveBeenCalled());
    await expect(results.next()).rejects.toThrow('This client reads too slowly');
    await results.return();
    expect(onEnded).toHaveBeenCalledTimes(1);
    expect(onEnded.mock.calls[0]?.[0]).toMatchObject({ extensions: { code: 'SLOW_CLIENT' } });
  });

  test('go on in the next graph, and end with an error when they are not valid there', async () => {
    const { subscribe, serve } = await start();
    const results = subscribe();
    const next = results.next();
    serve(await startGraph());
    const settled = vi.fn<() => void>();
    next.catch(() => {}).finally(settled);
    await Promise.resolve();
    expect(settled).not.toHaveBeenCalled();
    serve(await startGraph(priceTypes.replaceAll('priceChanged', 'costChanged')));
    await expect(next).rejects.toMatchObject({
      message: expect.stringContaining('The graph has changed, and this subscription is not valid any more'),
      extensions: { code: 'GRAPHQL_VALIDATION_FAILED' },
    });
  });
});

describe('queries and mutations', () => {
  const request = { query: '{ price(sku: "MUG") }' };

  test('are refused without a graph', async () => {
    const { operations } = startLiveOperations({ graph: undefined });
    expect(operations.isReady).toBe(false);
    expect(() => operations.read(request, anonymous)).toThrow(
      expect.objectContaining({ code: 'GRAPH_NOT_READY' }),
    );
  });

  test('are refused when the gateway has as many as it takes, and taken when one has been answered', async () => {
    const { operations, limit } = startLiveOperations({ graph: await startGraph(), maxConcurrent: 1 });
    const operation = operations.read(request, anonymous);
    const leave = limit.enter();
    const { errors } = await operations.execute(operation, clientOf());
    expect(errors?.[0]?.extensions['code']).toBe('OVERLOADED');
    leave?.();
    expect(await operations.execute(operation, clientOf())).toEqual({ data: {} });
    expect(await operations.execute(operation, clientOf())).toEqual({ data: {} });
  });
});
