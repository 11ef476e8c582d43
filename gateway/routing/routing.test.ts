import type { ServerResponse } from 'node:http';
import type { LookupFunction } from 'node:net';
import { Writable } from 'node:stream';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { fastify } from 'fastify';
import { Registry } from 'prom-client';
import { describe, expect, onTestFinished, test } from 'vitest';
import { freePort } from '../../platform/free-port.ts';
import { createScope } from '../../platform/lifecycle.ts';
import { createLogger, type Logger, silentLog } from '../../platform/log.ts';
import type { ProcessContext } from '../../platform/process.ts';
import { anyHost } from '../../platform/registry/host.ts';
import type { ServiceInstance } from '../../platform/registry/instance.ts';
import { createInstanceLookup } from '../../platform/registry/instance-connections.ts';
import { type GatewayConfig, gatewaySettings } from '../config.ts';
import { passHeaders } from '../header-rules.ts';
import { anonymous } from '../security/operation-caller.ts';
import { describeInstance, fillRegistry, serveInstance } from '../testing/instances.ts';
import { Turn } from '../turn.ts';
import { createRouting } from './routing.ts';

interface Answer {
  readonly data: Record<string, unknown> | null;
  readonly errors?: readonly { message: string; extensions: Record<string, unknown> }[];
}

const headerRules = { toSubgraphs: [], toClients: ['cache-control'] };

/** A gateway's way to one subgraph, `stock`, over the instances that are given. */
async function routeTo(
  instances: readonly ServiceInstance[],
  settings: Record<string, string> = {},
  { lookup, log = silentLog }: { lookup?: LookupFunction; log?: Logger } = {},
) {
  const metrics = new Registry();
  const scope = createScope(silentLog);
  const management = fastify();
  onTestFinished(() => scope.close());
  const context = {
    config: gatewaySettings.parse({
      CALLER_SECRET: 'a secret of at least thirty-two characters',
      SUBGRAPH_BREAKER_MINIMUM_CALLS: '4',
      ...settings,
    }),
    log,
    metrics,
    scope,
    management,
  } as unknown as ProcessContext<GatewayConfig>;
  const registry = fillRegistry(...instances);
  const routing = createRouting(context, {
    registry: registry.view,
    served: { versionOf: () => 'v1', isStrict: false, following: undefined, graph: undefined },
    ...(lookup ? { lookup } : {}),
  });
  const client = routing.clientOf({ name: 'stock', hash: 'v1', sdl: '' });
  return {
    registry,
    metrics,
    async ask(
      query = '{ count }',
      headers = passHeaders(headerRules, {}),
      signal?: AbortSignal,
    ): Promise<Answer> {
      const request = { query, isMutation: query.startsWith('mutation'), body: JSON.stringify({ query }) };
      const answer = await client(request, {
        caller: anonymous,
        address: '',
        turn: new Turn(),
        headers,
        signal,
      });
      return answer as Answer;
    },
    async breaker(updateState?: string): Promise<string> {
      if (updateState)
        await management.inject({
          method: 'POST',
          url: '/actuator/circuitbreakers/stock',
          payload: { updateState },
        });
      const { body } = await management.inject('/actuator/circuitbreakers');
      const { circuitBreakers } = JSON.parse(body) as { circuitBreakers: Record<string, { state: string }> };
      return circuitBreakers['stock']?.state ?? '';
    },
    async metric(name: string, labels: Record<string, string>): Promise<number> {
      const { values } = (await metrics.getSingleMetric(name)?.get()) ?? { values: [] };
      const found = values.filter(value =>
        Object.entries(labels).every(([key, text]) => value.labels[key] === text),
      );
      return found.reduce((sum, { value }) => sum + value, 0);
    },
  };
}

const codesOf = ({ errors = [] }: Answer) => errors.map(({ extensions }) => extensions['code']);

function answerWith(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/** An instance that counts what it is asked, and answers as told. */
async function serve(answer: (response: ServerResponse) => void) {
  const asked: string[] = [];
  const port = await serveInstance((request, response) => {
    let body = '';
    request.on('data', chunk => {
      body += String(chunk);
    });
    request.on('end', () => {
      asked.push((JSON.parse(body) as { query: string }).query);
      answer(response);
    });
  });
  return { asked, instance: describeInstance({ port }) };
}
const good = (response: ServerResponse) => answerWith(response, 200, { data: { count: 3 } });
/** Takes the request, and lets the connection go without an answer. */
const reset = (response: ServerResponse) => void response.socket?.destroy();

test.each([
  [{}, 1],
  [{ 'cache-control': 'no-store' }, 2],
])(
  'what a subgraph says when it is unwell is shared like any other answer: %j',
  async (headers, expected) => {
    const held: ServerResponse[] = [];
    const { asked, instance } = await serve(response => held.push(response));
    const { ask } = await routeTo([instance]);
    const passed = [1, 2].map(() => passHeaders(headerRules, {}));
    const answers = passed.map(each => ask('{ count }', each));
    await expect.poll(() => held.length).toBe(1);
    const answer = (response: ServerResponse | undefined) =>
      response?.writeHead(500, headers).end(JSON.stringify({ errors: [{ message: 'kaput' }] }));
    answer(held[0]);
    if (expected > 1) await expect.poll(() => held.length).toBe(expected);
    answer(held[1]);
    for (const { errors } of await Promise.all(answers)) expect(errors?.[0]?.message).toBe('kaput');
    expect(asked).toHaveLength(expected);
    expect(passed.map(each => each.isShareable)).toEqual(passed.map(() => expected === 1));
  },
);

describe('what is no GraphQL result is a failure of the subgraph', () => {
  test.each([
    ['a JSON object of a framework', 500, { status: 500, error: 'Internal Server Error' }],
    ['the same with status 200', 200, { timestamp: 1 }],
    ['nothing but null', 200, { data: null }],
    ['no errors and no data', 200, { errors: [] }],
    ['a list', 200, []],
  ])('%s', async (_case, status, body) => {
    const { instance } = await serve(response => answerWith(response, status, body));
    const { ask, breaker, metric } = await routeTo([instance]);
    for (let count = 0; count < 4; count++) {
      const answer = await ask();
      expect(answer.data).toBeNull();
      expect(answer.errors?.[0]?.message).toContain(`status ${status}`);
      expect(answer.errors?.[0]?.extensions).toMatchObject({ code: 'SUBGRAPH_ERROR', subgraph: 'stock' });
    }
    expect(await metric('gateway_subgraph_ejections_total', { subgraph: 'stock' })).toBe(1);
    expect(await breaker()).toBe('OPEN');
  });

  test.each([
    ['data with status 500', 500, { data: { count: 3 } }],
    ['errors with status 400', 400, { errors: [{ message: 'no such field' }] }],
    ['data null with its reason', 200, { data: null, errors: [{ message: 'it broke' }] }],
  ])('but not %s', async (_case, status, body) => {
    const { instance } = await serve(response => answerWith(response, status, body));
    const { ask, breaker } = await routeTo([instance]);
    for (let count = 0; count < 4; count++) expect(await ask()).toEqual(body);
    expect(await breaker()).toBe('CLOSED');
  });
});

describe('an answer with errors alone and status 503', () => {
  test('is a failure of the subgraph, and its errors are for the client', async () => {
    const { instance } = await serve(response =>
      answerWith(response, 503, { errors: [{ message: 'starting', extensions: { code: 'WARMING_UP' } }] }),
    );
    const { ask, breaker, metric } = await routeTo([instance]);
    for (let count = 0; count < 4; count++)
      expect((await ask()).errors).toEqual([{ message: 'starting', extensions: { code: 'WARMING_UP' } }]);
    expect(await metric('gateway_subgraph_ejections_total', { subgraph: 'stock' })).toBe(1);
    expect(await breaker()).toBe('OPEN');
  });
});

test.each([
  { data: { count: 3 }, errors: null, extensions: null },
  { data: { count: 3 }, errors: [] },
])('%j has no errors', async body => {
  const { instance } = await serve(response => answerWith(response, 200, body));
  const { ask } = await routeTo([instance]);
  expect(await ask()).toEqual({ data: { count: 3 } });
});

describe('an answer that is no GraphQL result', () => {
  test('says to the client what came, and neither where it came from nor where it leads', async () => {
    const { instance } = await serve(response => {
      response.writeHead(307, { location: 'http://10.1.2.3:99/graphql/', 'content-type': 'text/html' });
      response.end('<h1>moved</h1>');
    });
    const { ask } = await routeTo([instance]);
    const { errors } = await ask();
    expect(errors).toEqual([
      {
        message:
          "The subgraph 'stock' answered with no GraphQL result, but with a redirect, status 307 and text/html",
        extensions: { code: 'SUBGRAPH_ERROR', subgraph: 'stock' },
      },
    ]);
  });
});

describe('a redirect', () => {
  const leadTo = async (to: string) => {
    const paths: string[] = [];
    const port = await serveInstance((request, response) => {
      paths.push(`${request.method} ${request.url}`);
      if (request.url === '/graphql') response.writeHead(307, { location: to }).end();
      else if (request.url === '/login') response.end('<h1>Who are you?</h1>');
      else answerWith(response, 200, { data: { count: 3 } });
    });
    return { paths, ...(await routeTo([describeInstance({ port })])) };
  };

  test('to the same host and port is followed, and not asked for again', async () => {
    const { ask, paths } = await leadTo('/graphql/');
    expect(await ask('mutation { take }')).toEqual({ data: { count: 3 } });
    expect(await ask()).toEqual({ data: { count: 3 } });
    expect(paths).toEqual(['POST /graphql', 'POST /graphql/', 'POST /graphql/']);
  });

  test('to what is no GraphQL is followed each time', async () => {
    const { ask, paths } = await leadTo('/login');
    for (const _time of [1, 2])
      expect((await ask()).errors?.[0]?.message).toContain(
        'answered with no GraphQL result, but with status 200',
      );
    expect(paths).toEqual(['POST /graphql', 'POST /login', 'POST /graphql', 'POST /login']);
  });

  test('without an end is given up', async () => {
    let count = 0;
    const port = await serveInstance((_request, response) => {
      count += 1;
      response.writeHead(307, { location: `/graphql/${count}` }).end();
    });
    const { ask } = await routeTo([describeInstance({ port })]);
    expect((await ask()).errors?.[0]?.message).toContain('with a redirect, status 307');
    expect(count).toBe(4);
  });
});

describe('a compressed answer', () => {
  const compressed = (encoding: string, data: Buffer) => (response: ServerResponse) => {
    response.writeHead(200, { 'content-encoding': encoding }).end(data);
  };
  const body = Buffer.from(JSON.stringify({ data: { count: 3 } }));

  test.each([
    ['gzip', gzipSync(body)],
    ['deflate', deflateSync(body)],
    ['br', brotliCompressSync(body)],
    ['identity', body],
    ['gzip, br', brotliCompressSync(gzipSync(body))],
  ])('in %s is read, though nobody asked for it', async (encoding, data) => {
    const { instance } = await serve(compressed(encoding, data));
    const { ask } = await routeTo([instance]);
    expect(await ask()).toEqual({ data: { count: 3 } });
  });

  test('that is larger than allowed when it is decompressed is an error', async () => {
    const bomb = gzipSync(Buffer.alloc(10_000_000, ' '));
    const { instance } = await serve(compressed('gzip', bomb));
    const { ask } = await routeTo([instance], { SUBGRAPH_MAX_RESPONSE_BYTES: '100000' });
    expect((await ask()).errors?.[0]?.message).toBe(
      "The answer of the subgraph 'stock' is larger than 100000 bytes (SUBGRAPH_MAX_RESPONSE_BYTES)",
    );
  });

  test('is asked for by a setting', async () => {
    const encodings: (string | undefined)[] = [];
    const port = await serveInstance((request, response) => {
      encodings.push(request.headers['accept-encoding']);
      answerWith(response, 200, { data: { count: 3 } });
    });
    await (await routeTo([describeInstance({ port })])).ask();
    await (await routeTo([describeInstance({ port })], { SUBGRAPH_ACCEPT_ENCODING: 'gzip, br' })).ask();
    expect(encodings).toEqual([undefined, 'gzip, br']);
  });
});

describe('a connection that breaks before the answer', () => {
  test('is made to another instance for a query', async () => {
    const [bad, well] = [await serve(reset), await serve(good)];
    const { ask, metric } = await routeTo([bad.instance, well.instance]);
    for (let count = 0; count < 2; count++) expect(await ask()).toEqual({ data: { count: 3 } });
    expect(bad.asked).toHaveLength(1);
    expect(await metric('gateway_subgraph_retries_total', { subgraph: 'stock' })).toBe(1);
  });

  test('is an error for a mutation that was sent, which nobody else is asked to do again', async () => {
    const [one, two] = [await serve(reset), await serve(reset)];
    const { ask, metric } = await routeTo([one.instance, two.instance]);
    expect(codesOf(await ask('mutation { write }'))).toEqual(['SUBGRAPH_UNAVAILABLE']);
    expect([...one.asked, ...two.asked]).toEqual(['mutation { write }']);
    expect(await metric('gateway_subgraph_retries_total', { subgraph: 'stock' })).toBe(0);
  });

  test('is made to another instance for a mutation that surely was not sent', async () => {
    const well = await serve(good);
    const { ask, metric } = await routeTo([describeInstance({ port: await freePort() }), well.instance]);
    for (let count = 0; count < 2; count++)
      expect(await ask('mutation { write }')).toEqual({ data: { count: 3 } });
    expect(well.asked).toHaveLength(2);
    expect(await metric('gateway_subgraph_retries_total', { subgraph: 'stock' })).toBe(1);
  });
});

describe('a subgraph of which every instance is dead', () => {
  test('opens its breaker, which says so as a metric, and costs no retry that could reach nobody', async () => {
    const dead = describeInstance({ port: await freePort() });
    const { ask, breaker, metric } = await routeTo([dead]);
    for (let count = 0; count < 4; count++) expect(codesOf(await ask())).toEqual(['SUBGRAPH_UNAVAILABLE']);
    expect(await breaker()).toBe('OPEN');
    expect(await metric('circuitbreaker_state', { name: 'stock', state: 'OPEN' })).toBe(1);
    expect(await metric('circuitbreaker_calls_total', { name: 'stock', kind: 'failed' })).toBe(4);
    expect(await metric('gateway_subgraph_retries_total', { subgraph: 'stock' })).toBe(0);
    expect(codesOf(await ask())).toEqual(['SUBGRAPH_UNAVAILABLE']);
    expect(await metric('circuitbreaker_calls_total', { name: 'stock', kind: 'not_permitted' })).toBe(1);
  });

  test('opens its breaker too when there are two', async () => {
    const dead = [describeInstance({ port: await freePort() }), describeInstance({ port: await freePort() })];
    const { ask, breaker } = await routeTo(dead);
    for (let count = 0; count < 4; count++) expect(codesOf(await ask())).toEqual(['SUBGRAPH_UNAVAILABLE']);
    expect(await breaker()).toBe('OPEN');
  });

  test('that nobody has registered opens none', async () => {
    const { ask, breaker } = await routeTo([]);
    for (let count = 0; count < 6; count++) expect(codesOf(await ask())).toEqual(['SUBGRAPH_UNAVAILABLE']);
    expect(await breaker()).toBe('CLOSED');
  });
});

test('a breaker that has opened lets one fetch try, and closes when that succeeds', async () => {
  let isWell = false;
  const { instance } = await serve(response => (isWell ? good(response) : reset(response)));
  const { ask, breaker } = await routeTo([instance], { SUBGRAPH_BREAKER_OPEN_MS: '50' });
  for (let count = 0; count < 4; count++) await ask();
  expect(await breaker()).toBe('OPEN');
  isWell = true;
  await expect.poll(breaker).toBe('HALF_OPEN');
  expect(await ask()).toEqual({ data: { count: 3 } });
  expect(await breaker()).toBe('CLOSED');
});

describe('a subgraph that takes too long', () => {
  test.each(['CLOSE', 'DISABLE'])(
    'is told of as that when an operator has set its breaker to %s',
    async state => {
      const { instance } = await serve(() => {});
      const { ask, breaker } = await routeTo([instance], { SUBGRAPH_TIMEOUT_MS: '50' });
      await breaker(state);
      const { data, errors } = await ask();
      expect(data).toBeNull();
      expect(errors?.[0]?.extensions).toEqual({ code: 'SUBGRAPH_TIMEOUT', subgraph: 'stock' });
    },
  );

  test('opens its breaker', async () => {
    const { instance } = await serve(() => {});
    const { ask, breaker } = await routeTo([instance], { SUBGRAPH_TIMEOUT_MS: '50' });
    for (let count = 0; count < 4; count++) expect(codesOf(await ask())).toEqual(['SUBGRAPH_TIMEOUT']);
    expect(await breaker()).toBe('OPEN');
  });
});

test('a fetch ends when the client leaves, which says nothing of the subgraph', async () => {
  let ended = 0;
  const { instance, asked } = await serve(response => void response.once('close', () => (ended += 1)));
  const { ask, breaker, metric } = await routeTo([instance]);
  for (let count = 1; count <= 6; count++) {
    const gone = new AbortController();
    const answer = ask('{ count }', undefined, gone.signal);
    await expect.poll(() => asked.length).toBe(count);
    gone.abort();
    expect(codesOf(await answer)).toEqual(['SUBGRAPH_UNAVAILABLE']);
    await expect.poll(() => ended).toBe(count);
  }
  expect(await breaker()).toBe('CLOSED');
  expect(await metric('circuitbreaker_calls_total', { name: 'stock', kind: 'ignored' })).toBe(6);
  expect(await metric('circuitbreaker_calls_total', { name: 'stock', kind: 'successful' })).toBe(0);
  expect(await metric('gateway_subgraph_ejections_total', { subgraph: 'stock' })).toBe(0);
});

describe('what the client gets may not be kept', () => {
  const cacheable = (response: ServerResponse, body: unknown) => {
    response.setHeader('cache-control', 'max-age=60, public');
    answerWith(response, 200, body);
  };

  test.each([
    ['when a subgraph fails beside one that does not', '{ broken }'],
    ['when a subgraph answers with errors', '{ refused }'],
  ])('%s', async (_case, query) => {
    const port = await serveInstance((request, response) => {
      request.on('data', chunk => {
        if (String(chunk).includes('broken')) reset(response);
        else if (String(chunk).includes('refused'))
          cacheable(response, { data: {}, errors: [{ message: 'no' }] });
        else cacheable(response, { data: { count: 3 } });
      });
    });
    const { ask } = await routeTo([describeInstance({ port })]);
    const headers = passHeaders(headerRules, {});
    await ask('{ count }', headers);
    expect(headers.response()).toEqual({ 'cache-control': 'max-age=60, public' });
    await ask(query, headers);
    expect(headers.response()).toEqual({ 'cache-control': 'no-store' });
  });
});

test('an answer that is larger than allowed is an error, and is not read to its end', async () => {
  const endless = (response: ServerResponse) => {
    const write = () => {
      while (!response.destroyed && response.write('x'.repeat(65_536)));
    };
    response.writeHead(200, { 'content-type': 'application/json' }).on('drain', write);
    write();
  };
  const { instance } = await serve(endless);
  const { ask } = await routeTo([instance], { SUBGRAPH_MAX_RESPONSE_BYTES: '100000' });
  const { errors } = await ask();
  expect(errors?.[0]).toMatchObject({
    message: expect.stringContaining('SUBGRAPH_MAX_RESPONSE_BYTES') as string,
    extensions: { code: 'SUBGRAPH_ERROR', subgraph: 'stock' },
  });
});

test.each([
  ['{}', 3],
  ['{"stock":{"connections":1}}', 1],
])('a subgraph with the limits %s has %d connections for three fetches at once', async (limits, expected) => {
  const held: ServerResponse[] = [];
  const { instance, asked } = await serve(response => void held.push(response));
  const { ask } = await routeTo([instance], { SUBGRAPH_LIMITS: limits });
  const answers = ['{ count }', '{ count a: count }', '{ count b: count }'].map(query => ask(query));
  for (let answered = 0; answered < 3; answered += expected) {
    await expect.poll(() => held.length).toBe(expected);
    expect(asked).toHaveLength(answered + expected);
    for (const response of held.splice(0)) good(response);
  }
  for (const answer of await Promise.all(answers)) expect(answer).toEqual({ data: { count: 3 } });
});

test('a host name that comes to lead elsewhere is connected to no more; operators learn why, and clients no address', async () => {
  const { instance, asked } = await serve(response => good(response.setHeader('connection', 'close')));
  let address = '127.0.0.1';
  const lookup = createInstanceLookup(anyHost, (_host, _options, callback) =>
    callback(null, [{ address, family: 4 }]),
  );
  const lines: string[] = [];
  const destination = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  const log = createLogger('test', { destination });
  const { ask } = await routeTo([{ ...instance, host: 'stock.example.com' }], {}, { lookup, log });
  expect(await ask()).toEqual({ data: { count: 3 } });
  address = '169.254.169.254';
  for (let count = 0; count < 2; count++)
    expect(await ask()).toMatchObject({
      data: null,
      errors: [
        {
          message: "The subgraph 'stock' could not be reached",
          extensions: { code: 'SUBGRAPH_UNAVAILABLE', subgraph: 'stock' },
        },
      ],
    });
  expect(asked).toHaveLength(1);
  const told = lines.filter(line => line.includes('leads to 169.254.169.254'));
  expect(told).toHaveLength(1);
  expect(told[0]).toContain('"subgraph":"stock"');
});

test('an instance whose host name leads elsewhere is passed by for another one, also with a mutation', async () => {
  const { instance, asked } = await serve(good);
  const lookup = createInstanceLookup(anyHost, (host, _options, callback) =>
    callback(null, [{ address: host.startsWith('bad') ? '169.254.169.254' : '127.0.0.1', family: 4 }]),
  );
  const instances = ['bad.example.com', 'good.example.com'].map(host => ({ ...instance, id: host, host }));
  const { ask } = await routeTo(instances, {}, { lookup });
  for (let count = 0; count < 4; count++)
    expect(await ask('mutation { count }')).toEqual({ data: { count: 3 } });
  expect(asked).toHaveLength(4);
});
