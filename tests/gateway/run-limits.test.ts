import { beforeAll, describe, expect, test, vi } from 'vitest';
import { createGraphClient } from '../../dev/graph-client.ts';
import { useFront } from '../helpers/front.ts';
import { metricOf } from '../helpers/metrics.ts';

/** Longer than the gateway waits. */
const never = new Promise<never>(() => {});

const front = useFront({
  env: {
    OPERATION_MAX_VARIABLE_DEPTH: '3',
    OPERATION_MAX_VARIABLE_VALUES: '20',
    OPERATION_MAX_ANSWER_BYTES: '10000',
    OPERATION_MAX_ERRORS: '2',
    OPERATION_TIMEOUT_MS: '700',
    OPERATION_MAX_REQUEST_BYTES: '2000',
    LIVE_MAX_MESSAGE_BYTES: '2000',
  },
});

let added = 0;
beforeAll(async () => {
  const subgraph = await front.serve({
    name: 'texts',
    typeDefs: `scalar Json
      type Query { text(length: Int, any: Json): String numbers: [Int!] slow: String wrong(count: Int): [Text] }
      type Text { size: Int }
      type Mutation { add: Int slowAdd: Int }
      type Subscription { texts(any: Json): String }`,
    resolvers: {
      Query: {
        text: (_parent: unknown, { length }: { length?: number }) => 'x'.repeat(length ?? 1),
        slow: () => never,
        wrong: (_parent: unknown, { count }: { count: number }) => Array.from({ length: count }, () => ({})),
      },
      Mutation: {
        async slowAdd() {
          await new Promise(resolve => setTimeout(resolve, 1_000));
          added += 1;
          return added;
        },
      },
      Text: {
        size() {
          throw new Error('no size');
        },
      },
    },
  });
  await subgraph.register();
  await vi.waitFor(async () => expect((await front.supergraph()).subgraphs.length).toBe(1), {
    timeout: 10_000,
    interval: 50,
  });
});

const refused = (limit: string) => metricOf(front.gateway, 'gateway_operations_refused_total', { limit });

async function send(query: string, variables: object = {}) {
  const response = await fetch(front.graphUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  const body = (await response.json()) as {
    data?: unknown;
    errors?: { message: string; extensions: Record<string, unknown> }[];
  };
  return { status: response.status, ...body };
}

const deep = { a: [[[[1]]]] };
const many = { a: Array.from({ length: 20 }, (_, n) => n) };

describe('variables that are', () => {
  test.each([
    ['too deep', 'MAX_VARIABLE_DEPTH_LIMIT', deep],
    ['too many', 'MAX_VARIABLE_VALUES_LIMIT', many],
  ])('%s are refused, whether or not the document is known', async (_what, code, variables) => {
    const before = await refused(code);
    const query = 'query ($a: Json) { text(any: $a) }';
    for (let time = 1; time <= 2; time += 1) {
      const answer = await send(query, variables);
      expect(answer.status).toBe(400);
      expect(answer.errors).toMatchObject([{ extensions: { code } }]);
      expect(answer.errors?.[0]?.extensions).toEqual({ code });
      expect(await refused(code)).toBe(before + time);
      expect(await send(query, { a: [[1]] })).toEqual({ status: 200, data: { text: 'x' } });
    }
    const client = createGraphClient(front.graphUrl);
    const live = client.subscribe('subscription ($a: Json) { texts(any: $a) }', variables).next();
    await expect(live).rejects.toMatchObject([{ extensions: { code } }]);
    await client.close();
  });
});

test('an answer that is too large is an error, and one that is not is answered', async () => {
  const query = 'query ($length: Int) { text(length: $length) }';
  for (let time = 1; time <= 2; time += 1) {
    const answer = await send(query, { length: 20_000 });
    expect(answer).toMatchObject({
      status: 400,
      errors: [{ extensions: { code: 'MAX_ANSWER_BYTES_LIMIT' } }],
    });
    expect(answer.errors?.[0]?.message).toContain('more than 10000 bytes');
    expect((await send(query, { length: 5 })).data).toEqual({ text: 'xxxxx' });
  }
  // With errors, answers are written otherwise.
  const mixed = await send('query ($length: Int) { text(length: $length) wrong(count: 1) { size } }', {
    length: 20_000,
  });
  expect(mixed.errors).toMatchObject([{ extensions: { code: 'MAX_ANSWER_BYTES_LIMIT' } }]);
  expect(await refused('MAX_ANSWER_BYTES_LIMIT')).toBe(3);
});

test('errors that are too many are left out, and counted', async () => {
  const { data, errors } = await send('{ wrong(count: 5) { size } }');
  expect(data).toEqual({ wrong: Array.from({ length: 5 }, () => ({ size: null })) });
  expect(errors?.map(({ extensions }) => extensions['code'])).toEqual([
    'SUBGRAPH_ERROR',
    'SUBGRAPH_ERROR',
    'MAX_ERRORS_LIMIT',
  ]);
  expect(errors?.at(-1)?.message).toContain('3 more errors');
  expect(await refused('MAX_ERRORS_LIMIT')).toBe(1);
});

describe('an operation that takes too long', () => {
  test.each(['first', 'again'])('is answered in time, %s', async () => {
    const beganAtMs = performance.now();
    const answer = await send('{ slow }');
    expect(performance.now() - beganAtMs).toBeLessThan(5_000);
    expect(answer).toMatchObject({ status: 504, errors: [{ extensions: { code: 'OPERATION_TIMEOUT' } }] });
  });

  test('over a WebSocket is answered in time too', async () => {
    const client = createGraphClient(front.graphUrl);
    const first = await client.subscribe('{ slow }').next();
    expect(first.value).toMatchObject({ errors: [{ extensions: { code: 'OPERATION_TIMEOUT' } }] });
    await client.close();
  });

  test('and is a mutation takes effect all the same', async () => {
    expect(await send('mutation { slowAdd }')).toMatchObject({
      status: 504,
      errors: [{ message: expect.stringContaining('may take effect all the same') as string }],
    });
    await vi.waitFor(() => expect(added).toBe(1), { timeout: 5_000 });
  });

  test('is counted', async () => {
    expect(await refused('OPERATION_TIMEOUT')).toBe(4);
  });
});

test('a body, and a message of a WebSocket, that is too large is refused', async () => {
  const { status } = await send(`{ text } # ${'x'.repeat(2_000)}`);
  expect(status).toBe(413);
  const client = createGraphClient(front.graphUrl);
  const live = client.subscribe(`{ text } # ${'x'.repeat(2_000)}`).next();
  await expect(live).rejects.toMatchObject({ code: 1009 });
  await client.close();
});
