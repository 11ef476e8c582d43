import { setTimeout as delay } from 'node:timers/promises';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { useFront } from '../helpers/front.ts';
import { speak } from '../helpers/raw-client.ts';

const timeouts = { HTTP_HEADERS_TIMEOUT_MS: '1000', HTTP_REQUEST_TIMEOUT_MS: '2000' };
/** Time by which Node may be late to find that a time is over, and this machine to do anything at all, in ms. */
const latenessMs = 2_000;
/** Longest time that an honest client may wait meanwhile, in ms. */
const honestMs = 2_000;

const front = useFront({ env: timeouts, discoveryEnv: timeouts });
beforeAll(async () => {
  const subgraph = await front.serve({
    name: 'people',
    typeDefs: 'type Query { name: String }',
    resolvers: { Query: { name: () => 'Ada' } },
  });
  await subgraph.register();
  await vi.waitFor(async () => expect((await front.supergraph()).subgraphs.length).toBe(1), {
    timeout: 10_000,
    interval: 50,
  });
});

interface Listener {
  readonly port: () => number;
  /** Path of a POST with JSON. */
  readonly path: string;
  /** What an honest client asks. @returns status of the answer */
  readonly ask: () => Promise<number>;
}

const portOf = (url: string) => Number(new URL(url).port);
const get = async (url: string) => (await fetch(url)).status;
const management = () => front.gateway.ready.ports?.['management'] ?? 0;

const listeners: [string, Listener][] = [
  [
    'the gateway',
    {
      port: () => portOf(front.graphUrl),
      path: '/graphql',
      async ask() {
        const answer = await front.anyone.request<{ name: string }>('{ name }');
        return answer.data?.name === 'Ada' ? 200 : 500;
      },
    },
  ],
  [
    'a management port',
    {
      port: management,
      path: '/actuator/supergraph',
      ask: () => get(`http://127.0.0.1:${management()}/actuator/health/liveness`),
    },
  ],
  [
    'the registry',
    {
      port: () => portOf(front.registryUrl),
      path: '/eureka/apps/HOSTILE',
      ask: () => get(`${front.registryUrl}/apps/PEOPLE`),
    },
  ],
];

const head = 'Host: a\r\nContent-Type: application/json\r\n';
/** What would be smuggled past a proxy that reads the one before differently. */
const second = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';

/** Requests of which two parties may think differently where they end, or that have no end. */
const malformed: [string, number, (path: string) => string][] = [
  [
    'a length and chunks',
    400,
    path =>
      `POST ${path} HTTP/1.1\r\n${head}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${second}`,
  ],
  [
    'chunks and a length',
    400,
    path =>
      `POST ${path} HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n${second}`,
  ],
  [
    'a transfer encoding that is not quite chunked',
    400,
    path => `POST ${path} HTTP/1.1\r\n${head}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${second}`,
  ],
  [
    'two transfer encodings',
    400,
    path =>
      `POST ${path} HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n${second}`,
  ],
  [
    'two lengths',
    400,
    path => `POST ${path} HTTP/1.1\r\n${head}Content-Length: 2\r\nContent-Length: 38\r\n\r\n{}${second}`,
  ],
  [
    'a length with a sign',
    400,
    path => `POST ${path} HTTP/1.1\r\n${head}Content-Length: +2\r\n\r\n{}${second}`,
  ],
  [
    'a blank before a colon',
    400,
    path => `POST ${path} HTTP/1.1\r\n${head}Content-Length : 2\r\n\r\n{}${second}`,
  ],
  [
    'a header that goes on in the next line',
    400,
    path => `GET ${path} HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n`,
  ],
  ['lines that end with LF alone', 400, path => `GET ${path} HTTP/1.1\nHost: a\n\n`],
  ['one line that ends with LF alone', 400, path => `GET ${path} HTTP/1.1\r\nHost: a\nX: b\r\n\r\n`],
  ['a CR within a line', 400, path => `GET ${path} HTTP/1.1\r\nHost: a\rX: b\r\n\r\n`],
  ['a NUL in a header', 400, path => `GET ${path} HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n`],
  [
    'chunks that end with LF alone',
    400,
    path => `POST ${path} HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n`,
  ],
  [
    'a chunk with an extension without an end',
    400,
    path => `POST ${path} HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\n\r\n2;${'a'.repeat(100_000)}`,
  ],
  [
    'a chunk that is larger than numbers are',
    400,
    path => `POST ${path} HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}`,
  ],
  ['a header without an end', 431, path => `GET ${path} HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(100_000)}`],
  [
    'headers without an end',
    431,
    path => `GET ${path} HTTP/1.1\r\nHost: a\r\n${'name: value\r\n'.repeat(10_000)}`,
  ],
  ['a path without an end', 431, () => `GET /${'a'.repeat(100_000)}`],
  ['no host', 400, path => `GET ${path} HTTP/1.1\r\n\r\n`],
  ['bytes of another protocol', 400, () => '\x16\x03\x01\x02\x00\x01\x00\x01\xfc'],
  ['the beginning of HTTP/2', 400, () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
];

describe.each(listeners)('%s', (_name, { port, path, ask }) => {
  /** Asks as an honest client does. @returns the longest time that an answer took, in ms */
  async function askHonestly(times: number): Promise<number> {
    let longestMs = 0;
    for (let count = 0; count < times; count += 1) {
      const startedAt = performance.now();
      expect(await ask()).toBe(200);
      longestMs = Math.max(longestMs, performance.now() - startedAt);
    }
    return longestMs;
  }

  test.each(malformed)('refuses %s once, and closes the connection', async (_what, status, textFor) => {
    const [answer, longestMs] = await Promise.all([
      speak({ port: port(), text: textFor(path), withinMs: 1_000 + latenessMs }),
      askHonestly(3),
    ]);
    expect(answer.statuses).toEqual([status]);
    expect(answer.isClosed).toBe(true);
    expect(answer.text).not.toContain('smuggled');
    expect(longestMs).toBeLessThan(honestMs);
  });

  test.each(['a/b', 'a b', 'user@a', '[', '999.999.999.999', 'a:99999999', 'a\r\nHost: b'])(
    'refuses the host %j',
    async host => {
      const text = `GET ${path} HTTP/1.1\r\nConnection: close\r\nHost: ${host}\r\n\r\n`;
      const answer = await speak({ port: port(), text, withinMs: latenessMs });
      expect(answer.statuses).toEqual([400]);
    },
  );

  test.each([
    ['headers come byte by byte', 100, 'a', (at: string) => `GET ${at} HTTP/1.1\r\nHost: a\r\nX: `, 1_000],
    [
      'bodies come byte by byte',
      100,
      ' ',
      (at: string) => `POST ${at} HTTP/1.1\r\n${head}Content-Length: 9999\r\n\r\n{`,
      2_000,
    ],
    [
      'chunks come one by one',
      100,
      '1\r\n \r\n',
      (at: string) => `POST ${at} HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\n\r\n`,
      2_000,
    ],
    ['nothing comes', 300, '', () => '', 1_000],
  ])(
    'ends connections on which %s, and answers others meanwhile',
    async (_what, count, drip, textFor, limitMs) => {
      const withinMs = limitMs + latenessMs;
      const options = { port: port(), text: textFor(path), drip: { text: drip, everyMs: 100 }, withinMs };
      const slow = Promise.all(Array.from({ length: count }, () => speak(options)));
      let longestMs = 0;
      let hasEnded = false;
      void slow.finally(() => {
        hasEnded = true;
      });
      while (!hasEnded) {
        longestMs = Math.max(longestMs, await askHonestly(1));
        await delay(20);
      }
      expect(longestMs).toBeLessThan(honestMs);
      const answers = await slow;
      for (const answer of answers) {
        expect(answer.isClosed).toBe(true);
        expect(answer.durationMs).toBeGreaterThan(limitMs - 100);
      }
      // What was sent when the connection was closed may reset it, before its answer is read.
      const read = answers.flatMap(({ statuses }) => statuses);
      expect(new Set(read)).toEqual(new Set([408]));
      expect(read.length).toBeGreaterThan(count / 2);
      expect(read.length).toBeLessThanOrEqual(count);
    },
  );
});

test.each([
  ['elsewhere', 404, '/none', ''],
  ['without a key', 400, '/graphql', ''],
  [
    'of another version',
    400,
    '/graphql',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 1\r\n',
  ],
])('a WebSocket %s is refused, and its connection closed', async (_what, status, path, headers) => {
  const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';
  const text = `GET ${path} HTTP/1.1\r\nHost: a\r\n${upgrade}${headers}\r\n`;
  const answer = await speak({ port: portOf(front.graphUrl), text, withinMs: latenessMs });
  expect([answer.statuses, answer.isClosed]).toEqual([[status], true]);
});

test('none of it is an error of the processes', () => {
  for (const name of ['gateway', 'discovery'] as const)
    expect(front.log(name)).not.toMatch(/"level":"(error|fatal)"/);
});
