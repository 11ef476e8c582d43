import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { useFront } from '../helpers/front.ts';
import { loadWhile } from '../helpers/load.ts';

const federation = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])';
const typeDefs = `${federation}
  type Query { fast: String slow: String broken: String refused: String language: String }
  type Mutation { write: String }`;

/** Holds the answers of a field back until told. */
function createGate() {
  let open = () => {};
  let opened = Promise.resolve();
  return {
    close() {
      opened = new Promise(resolve => {
        open = resolve;
      });
    },
    open: () => open(),
    pass: () => opened.then(() => 'passed'),
  };
}

/** Time that {@link serveInTurn} takes for one request, in ms. */
const turnMs = 20;
let lastTurn: Promise<unknown> = Promise.resolve();
/** Requests that wait for their turn now, and the most that ever did. */
const waiting = { now: 0, most: 0 };

/** Takes one request after another, as something does that has reached its limit. */
async function serveInTurn(): Promise<string> {
  waiting.now += 1;
  waiting.most = Math.max(waiting.most, waiting.now);
  const turn = lastTurn.then(() => delay(turnMs));
  lastTurn = turn;
  await turn;
  waiting.now -= 1;
  return 'done';
}

function medianOf(values: readonly number[]): number {
  return Math.round([...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN);
}

describe('a gateway that is asked too much', () => {
  const front = useFront({
    env: {
      GATEWAY_MAX_CONCURRENT_REQUESTS: '6',
      // Each request is to be a load of its own.
      DEDUPLICATION_EXCLUDED_SUBGRAPHS: '*',
      SUBGRAPH_LIMITS: '{"held":{"timeoutMs":1500,"maxConcurrent":4}}',
      SUBGRAPH_BREAKER_MINIMUM_CALLS: '5',
      SUBGRAPH_BREAKER_OPEN_MS: '1000',
    },
  });
  const gate = createGate();
  const ask = (query: string) => front.anyone.request<Record<string, string>>(query);
  const codeOf = (answer: Awaited<ReturnType<typeof ask>>) => answer.errors?.[0]?.extensions;

  async function send(query: string, signal?: AbortSignal): Promise<Response> {
    return fetch(front.graphUrl, {
      method: 'POST',
      ...(signal ? { signal } : {}),
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query }),
    });
  }

  test('is ready when it has a graph', async () => {
    const subgraph = await front.serve({
      name: 'held',
      typeDefs,
      resolvers: {
        Query: {
          fast: () => 'fast',
          slow: gate.pass,
          refused: () => {
            throw new Error('the database says no');
          },
        },
      },
    });
    await subgraph.register();
    const patient = await front.serve({
      name: 'patient',
      typeDefs: `${federation} type Query { patience: String turn: String }`,
      resolvers: { Query: { patience: gate.pass, turn: serveInTurn } },
    });
    await patient.register();
    await expect
      .poll(async () => (await ask('{ fast patience }')).data, { timeout: 10_000 })
      .toEqual({ fast: 'fast', patience: 'passed' });
    expect((await front.actuator('health/readiness')).status).toBe(200);
  });

  test('refuses fetches of a subgraph beyond its limit at once, and serves the rest of the operation', async () => {
    gate.close();
    const held = Array.from({ length: 4 }, () => ask('{ slow }'));
    await expect
      .poll(async () => codeOf(await ask('{ fast }')), { timeout: 3_000 })
      .toEqual({ code: 'SUBGRAPH_OVERLOADED', subgraph: 'held' });
    gate.open();
    for (const answer of await Promise.all(held)) expect(answer.data).toEqual({ slow: 'passed' });
    expect((await ask('{ fast }')).data).toEqual({ fast: 'fast' });
  });

  test('ends the fetches of clients that leave', async () => {
    gate.close();
    const gone = new AbortController();
    const left = Array.from({ length: 4 }, () => send('{ slow }', gone.signal).catch(() => 'left'));
    await expect
      .poll(async () => codeOf(await ask('{ fast }')), { timeout: 1_000 })
      .toEqual({ code: 'SUBGRAPH_OVERLOADED', subgraph: 'held' });
    gone.abort();
    expect(await Promise.all(left)).toEqual(['left', 'left', 'left', 'left']);
    // The subgraph still holds its answers back, and the fetches have not reached their time limit.
    await expect.poll(async () => (await ask('{ fast }')).data, { timeout: 1_000 }).toEqual({ fast: 'fast' });
    gate.open();
  });

  test('answers 503 with Retry-After at once beyond its own limit, and says that it is not ready', async () => {
    gate.close();
    const held = Array.from({ length: 6 }, () => send('{ patience }'));
    let refused: Response | undefined;
    await expect
      .poll(
        async () => {
          refused = await send('{ fast }');
          return refused.status;
        },
        { timeout: 3_000 },
      )
      .toBe(503);
    expect(refused?.headers.get('retry-after')).toBe('1');
    expect(await refused?.json()).toMatchObject({ errors: [{ extensions: { code: 'OVERLOADED' } }] });
    expect((await front.actuator('health/readiness')).status).toBe(503);
    expect((await front.actuator('health/liveness')).status).toBe(200);
    gate.open();
    await Promise.all(held);
    await expect
      .poll(async () => (await front.actuator('health/readiness')).status, { timeout: 5_000 })
      .toBe(200);
  });

  test('lets no more wait than it may when it is asked for four times what can be done', async () => {
    const [accepted, refused]: [number[], number[]] = [[], []];
    const sendOne = async () => {
      const sentAtMs = performance.now();
      const response = await send('{ turn }');
      const { errors } = (await response.json()) as { errors?: unknown };
      const latencies = response.status === 503 ? refused : accepted;
      latencies.push(performance.now() - sentAtMs);
      return response.status === 503 ? undefined : errors;
    };
    const { failures } = await loadWhile({ ratePerSecond: 4 * (1_000 / turnMs), send: sendOne }, () =>
      delay(2_000),
    );
    const [served, turnedAway] = [medianOf(accepted), medianOf(refused)];
    console.log(
      `overload: ${accepted.length} served in ${served} ms, ${refused.length} refused in ${turnedAway} ms (median)`,
    );
    expect(failures).toEqual([]);
    expect(accepted.length).toBeGreaterThan(20);
    expect(refused.length).toBeGreaterThan(accepted.length);
    // Were all let in, the last ones would wait behind 150 others and more.
    expect(waiting.most).toBeLessThanOrEqual(6);
  });

  test('says of a subgraph that takes too long that it did', async () => {
    gate.close();
    expect(codeOf(await ask('{ slow }'))).toEqual({ code: 'SUBGRAPH_TIMEOUT', subgraph: 'held' });
    gate.open();
  });

  test('names the subgraph of an error that has no code', async () => {
    const answer = await ask('{ refused }');
    expect(answer.data).toEqual({ refused: null });
    expect(codeOf(answer)).toEqual({ code: 'SUBGRAPH_ERROR', subgraph: 'held' });
    expect(answer.errors?.[0]?.message).toBe('the database says no');
  });

  test("an operator forces a subgraph's circuit breaker open and takes that back", async () => {
    const force = (updateState: string) =>
      front.actuator('circuitbreakers/held', { method: 'POST', body: JSON.stringify({ updateState }) });
    expect((await force('FORCE_OPEN')).body).toEqual({
      circuitBreakerName: 'held',
      currentState: 'FORCED_OPEN',
    });
    expect(codeOf(await ask('{ fast }'))).toMatchObject({ code: 'SUBGRAPH_UNAVAILABLE', subgraph: 'held' });
    const { body } = await front.actuator<{ circuitBreakers: Record<string, { state: string }> }>(
      'circuitbreakers',
    );
    expect(body.circuitBreakers['held']?.state).toBe('FORCED_OPEN');
    expect((await force('CLOSE')).status).toBe(200);
    expect((await ask('{ fast }')).data).toEqual({ fast: 'fast' });
    expect((await force('SIDEWAYS')).status).toBe(400);
    const unknown = await front.actuator('circuitbreakers/nobody', {
      method: 'POST',
      body: JSON.stringify({ updateState: 'CLOSE' }),
    });
    expect(unknown.status).toBe(404);
  });
});

describe('headers', () => {
  const front = useFront({ env: { HEADERS_TO_CLIENTS: 'set-cookie,cache-control,x-edition' } });

  test('go to subgraphs and come back only as declared', async () => {
    const subgraph = await front.serve({
      name: 'greeter',
      typeDefs: `${federation} type Query { hello: String }`,
      resolvers: { Query: { hello: () => 'hi' } },
      headers: {
        'set-cookie': 'seen=1',
        'cache-control': 'max-age=60',
        'x-edition': 'second',
        'x-internal': 'secret',
      },
    });
    await subgraph.register();
    await expect
      .poll(async () => (await front.anyone.request('{ hello }')).data, { timeout: 10_000 })
      .toEqual({ hello: 'hi' });
    subgraph.takeRequests();

    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const response = await fetch(front.graphUrl, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'accept-language': 'de',
        traceparent,
        cookie: 'session=secret',
        'x-portico-caller': 'forged',
        'x-custom': 'mine',
      },
      body: JSON.stringify({ query: '{ hello }' }),
    });

    expect(await response.json()).toEqual({ data: { hello: 'hi' } });
    const [seen] = subgraph.takeRequests();
    expect(seen?.headers).toMatchObject({ 'accept-language': 'de', traceparent });
    for (const name of ['cookie', 'x-portico-caller', 'x-custom', 'authorization'])
      expect(seen?.headers).not.toHaveProperty(name);
    expect(response.headers.get('set-cookie')).toBe('seen=1');
    expect(response.headers.get('cache-control')).toBe('max-age=60, public');
    expect(response.headers.get('x-edition')).toBe('second');
    expect(response.headers.get('x-internal')).toBeNull();
  });
});
