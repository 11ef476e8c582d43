import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ApolloClient, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { Defer20220824Handler, GraphQL17Alpha9Handler } from '@apollo/client/incremental';
import { createClient } from 'graphql-ws';
import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { useFront } from '../helpers/front.ts';
import { metricOf } from '../helpers/metrics.ts';

const federation = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])';

/** Holds the stock's answers back until it is opened. */
let gate: { readonly pass: Promise<void>; open(): void } = { pass: Promise.resolve(), open() {} };
function closeGate(): void {
  let open = () => {};
  const pass = new Promise<void>(resolve => {
    open = resolve;
  });
  gate = { pass, open };
  onTestFinished(open);
}

const front = useFront({ env: { QUERY_PLAN_SECRET: 'plan' } });
beforeAll(async () => {
  const pens = await front.serve({
    name: 'pens',
    typeDefs: `${federation}
      type Query { pens: [Pen!]! } type Mutation { draw: Pen }
      type Pen @key(fields: "id") { id: ID! name: String }`,
    resolvers: {
      Query: { pens: () => ['1', '2'].map(id => ({ id, name: `pen ${id}` })) },
      Mutation: { draw: () => ({ id: '1', name: 'pen 1' }) },
    },
  });
  const stock = await front.serve({
    name: 'stock',
    typeDefs: `${federation} type Pen @key(fields: "id") { id: ID! count: Int broken: Int! }`,
    resolvers: {
      Pen: {
        __resolveReference: ({ id }: { id: string }) =>
          gate.pass.then(() => ({ id, count: Number(id) * 10 })),
        broken: () => {
          throw new Error('nobody has counted');
        },
      },
    },
  });
  await Promise.all([pens.register(), stock.register()]);
  await vi.waitFor(async () => expect((await front.supergraph()).subgraphs.length).toBe(2), {
    timeout: 10_000,
    interval: 50,
  });
});

const query = '{ pens { id ... @defer(label: "stock") { count } } }';
const byPath = 'multipart/mixed;deferSpec=20220824, application/json';

function send(accept: string, text = query, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(front.graphUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept, ...headers },
    body: JSON.stringify({ query: text }),
  });
}

/** Reads the parts of an answer, each as it comes. */
async function* partsOf(response: Response): AsyncGenerator<Record<string, unknown>> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    for (let end = text.indexOf('\r\n---', 1); end >= 0; end = text.indexOf('\r\n---', 1)) {
      const [, body = ''] = text.slice(0, end).split('\r\n\r\n');
      text = text.slice(end);
      if (body) yield JSON.parse(body);
    }
  }
  expect(text).toBe('\r\n-----\r\n');
}

async function allParts(response: Response): Promise<Record<string, unknown>[]> {
  const parts: Record<string, unknown>[] = [];
  for await (const part of partsOf(response)) parts.push(part);
  return parts;
}

describe('an answer with @defer', () => {
  test('comes in parts, the first before the deferred fields are there', async () => {
    closeGate();
    const response = await send(byPath);
    expect(response.headers.get('content-type')).toBe('multipart/mixed; boundary="-"; deferSpec=20220824');
    const parts = partsOf(response);
    expect((await parts.next()).value).toEqual({ data: { pens: [{ id: '1' }, { id: '2' }] }, hasNext: true });
    gate.open();
    expect((await parts.next()).value).toEqual({
      incremental: [
        { data: { count: 10 }, path: ['pens', 0], label: 'stock' },
        { data: { count: 20 }, path: ['pens', 1], label: 'stock' },
      ],
      hasNext: false,
    });
    expect(await parts.next()).toEqual({ done: true, value: undefined });
  });

  test("has the ids of the specification's draft for clients that ask for it", async () => {
    const response = await send('multipart/mixed;incrementalSpec=v0.2');
    expect(response.headers.get('content-type')).toContain('incrementalSpec=v0.2');
    expect(await allParts(response)).toEqual([
      {
        data: { pens: [{ id: '1' }, { id: '2' }] },
        pending: [
          { id: '0', path: ['pens', 0], label: 'stock' },
          { id: '1', path: ['pens', 1], label: 'stock' },
        ],
        hasNext: true,
      },
      {
        incremental: [
          { id: '0', data: { count: 10 } },
          { id: '1', data: { count: 20 } },
        ],
        completed: [{ id: '0' }, { id: '1' }],
        hasNext: false,
      },
    ]);
  });

  test('has a null at the fragment when a null reaches its object, and the rest stays', async () => {
    const [first, second] = await allParts(await send(byPath, '{ pens { id ... @defer { broken } } }'));
    expect(first).toEqual({ data: { pens: [{ id: '1' }, { id: '2' }] }, hasNext: true });
    expect(second).toMatchObject({
      incremental: [0, 1].map(index => ({
        data: null,
        path: ['pens', index],
        errors: [{ message: 'nobody has counted', path: ['pens', index, 'broken'] }],
      })),
      hasNext: false,
    });
  });

  test('of a mutation comes in parts too', async () => {
    const parts = await allParts(await send(byPath, 'mutation { draw { name ... @defer { count } } }'));
    expect(parts).toEqual([
      { data: { draw: { name: 'pen 1' } }, hasNext: true },
      { incremental: [{ data: { count: 10 }, path: ['draw'] }], hasNext: false },
    ]);
  });

  test('comes as one for a client that does not accept parts, or whose `if` is false', async () => {
    const whole = {
      data: {
        pens: [
          { id: '1', count: 10 },
          { id: '2', count: 20 },
        ],
      },
    };
    const response = await send('application/json');
    expect(response.headers.get('content-type')).toContain('application/json');
    expect(await response.json()).toEqual(whole);
    const parts = await allParts(await send(byPath, '{ pens { id ... @defer(if: false) { count } } }'));
    expect(parts).toEqual([{ ...whole, hasNext: false }]);
  });

  test('is refused as any other when it is not valid', async () => {
    const response = await send(byPath, 'mutation { ... @defer { draw { id } } }');
    expect(await response.json()).toMatchObject({
      errors: [{ message: '@defer is not supported on the fields of a mutation itself' }],
    });
  });

  test('has its query plan for an operator', async () => {
    const [first] = await allParts(await send(byPath, query, { 'apollo-expose-query-plan': 'plan' }));
    expect(JSON.stringify(first)).toContain('Defer');
  });

  test('ends its fetches when the client leaves', async () => {
    closeGate();
    const gone = new AbortController();
    const response = await fetch(front.graphUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: byPath },
      body: JSON.stringify({ query }),
      signal: gone.signal,
    });
    expect((await partsOf(response).next()).value).toMatchObject({ hasNext: true });
    const abandoned = () =>
      metricOf(front.gateway, 'gateway_subgraph_fetch_duration_seconds_count', {
        subgraph: 'stock',
        outcome: 'SUBGRAPH_UNAVAILABLE',
      });
    expect((await abandoned()) ?? 0).toBe(0);
    gone.abort();
    await expect.poll(abandoned).toBe(1);
  });
});

describe('clients read an answer in parts', () => {
  test('curl', async () => {
    const { stdout } = await promisify(execFile)('curl', [
      '-sN',
      front.graphUrl,
      '-H',
      'content-type: application/json',
      '-H',
      'accept: multipart/mixed',
      '-d',
      JSON.stringify({ query }),
    ]);
    expect(stdout.match(/"hasNext":(true|false)/g)).toEqual(['"hasNext":true', '"hasNext":false']);
    expect(stdout.endsWith('\r\n-----\r\n')).toBe(true);
  });

  test.each([
    ['20220824', new Defer20220824Handler()],
    ['v0.2', new GraphQL17Alpha9Handler()],
  ])('Apollo Client 4, in the format %s', async (_format, incrementalHandler) => {
    closeGate();
    const client = new ApolloClient({
      link: new HttpLink({ uri: front.graphUrl }),
      cache: new InMemoryCache(),
      incrementalHandler: incrementalHandler as Defer20220824Handler,
    });
    onTestFinished(() => client.stop());
    const seen: unknown[] = [];
    const done = new Promise<void>((resolve, reject) => {
      const subscription = client.watchQuery({ query: gql(query) }).subscribe({
        next({ data, dataState }) {
          if (dataState === 'empty') return;
          seen.push(JSON.parse(JSON.stringify(data)));
          if (dataState === 'streaming') gate.open();
          if (dataState === 'complete') resolve();
        },
        error: reject,
      });
      onTestFinished(() => subscription.unsubscribe());
    });
    await done;
    const pen = (id: string, more = {}) => ({ __typename: 'Pen', id, ...more });
    expect(seen).toEqual([
      { pens: [pen('1'), pen('2')] },
      { pens: [pen('1', { count: 10 }), pen('2', { count: 20 })] },
    ]);
  });

  test('graphql-ws', async () => {
    const client = createClient({ url: front.graphUrl.replace('http', 'ws'), webSocketImpl: WebSocket });
    onTestFinished(() => client.dispose());
    const parts: unknown[] = [];
    for await (const part of client.iterate({ query })) parts.push(part);
    expect(parts).toMatchObject([{ hasNext: true }, { incremental: [{}, {}], hasNext: false }]);
  });

  test('over Server-Sent Events', async () => {
    const text = await (await send('text/event-stream')).text();
    expect(text.match(/"hasNext":(true|false)/g)).toEqual(['"hasNext":true', '"hasNext":false']);
    expect(text).toContain('event: complete');
  });
});
