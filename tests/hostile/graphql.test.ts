import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { useFront } from '../helpers/front.ts';
import { type Answer, ask } from './exchange.ts';

const front = useFront({ env: { LIVE_KEEP_ALIVE_MS: '1000' } });
beforeAll(async () => {
  const subgraph = await front.serve({
    name: 'people',
    typeDefs:
      'input Given { n: Int s: String more: Given } type Query { name(n: Int, s: String, given: Given): String }',
    resolvers: {
      Query: { name: (_: unknown, { s, n }: { s?: string; n?: number }) => s ?? String(n ?? 'Ada') },
    },
  });
  await subgraph.register();
  await vi.waitFor(async () => expect((await front.supergraph()).subgraphs.length).toBe(1), {
    timeout: 10_000,
    interval: 50,
  });
});

const deep = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;
const given = '($given: Given, $s: String, $n: Int) { name(given: $given, s: $s, n: $n) }';
const withVariables = (json: string) => `{"query":"query ${given}","variables":${json}}`;

/** Bodies, the statuses that may answer them, and a part of the answer. */
const bodies: [string, string, number[], RegExp][] = [
  ['nothing', '', [400], /errors/],
  ['no JSON', '{"query":', [400], /errors/],
  ['null', 'null', [400], /errors/],
  ['a text', '"{ name }"', [400], /errors/],
  ['a number', '1', [400], /errors/],
  ['an empty batch', '[]', [400], /errors|batch/],
  ['a batch', '[{"query":"{ name }"},{"query":"{ name }"}]', [400], /errors|batch/],
  ['a batch of batches', `[${'[{"query":"{ name }"}],'.repeat(1_000)}[]]`, [400], /errors|batch/],
  ['a query that is a number', '{"query":1}', [400], /errors/],
  ['a query that is a list', '{"query":["{ name }"]}', [400], /errors/],
  ['variables that are a list', '{"query":"{ name }","variables":[]}', [400], /errors/],
  ['variables that are a text', '{"query":"{ name }","variables":"{}"}', [400], /errors/],
  ['a name that is an object', '{"query":"{ name }","operationName":{}}', [400], /errors/],
  ['extensions that are a list', '{"query":"{ name }","extensions":[1]}', [400, 200], /./],
  ['a persisted query that is none', '{"extensions":{"persistedQuery":1}}', [200], /errors/],
  [
    'a hash that is none',
    '{"extensions":{"persistedQuery":{"version":1,"sha256Hash":{}}}}',
    [200],
    /PERSISTED_QUERY_NOT_FOUND/,
  ],
  [
    'a hash of another text',
    '{"query":"{ name }","extensions":{"persistedQuery":{"version":1,"sha256Hash":"x"}}}',
    [200],
    /errors/,
  ],
  ['the prototype', '{"__proto__":{"query":"{ name }"}}', [400], /errors/],
  ['the constructor', '{"query":"{ name }","constructor":{"prototype":{"a":1}}}', [400], /errors/],
  ['a variable called as the prototype', withVariables('{"__proto__":{"n":1}}'), [400], /errors/],
  ['a variable called constructor', withVariables('{"constructor":{"n":1},"n":5}'), [200], /"5"/],
  [
    'an operation called as the prototype',
    '{"query":"query __proto__ { name }","operationName":"__proto__"}',
    [200],
    /Ada/,
  ],
  [
    'an operation called constructor, which is not there',
    '{"query":"{ name }","operationName":"constructor"}',
    [400, 200],
    /errors/,
  ],
  [
    'aliases that objects have',
    '{"query":"{ __proto__: name constructor: name toString: name hasOwnProperty: name }"}',
    [200],
    /"__proto__":"Ada"/,
  ],
  ['fields that objects have', '{"query":"{ constructor toString __proto__ }"}', [400, 200], /errors/],
  [
    'fragments that objects have',
    '{"query":"{ ...__proto__ ...constructor } fragment toString on Query { name }"}',
    [400, 200],
    /errors/,
  ],
  [
    'types that objects have',
    '{"query":"query ($a: constructor, $b: __proto__) { name }"}',
    [400, 200],
    /errors/,
  ],
  ['directives that objects have', '{"query":"{ name @constructor @__proto__ }"}', [400, 200], /errors/],
  ['a number that is too large for Int', withVariables('{"n":2147483648}'), [400, 200], /errors/],
  ['a number that is too large for all', withVariables('{"n":1e999}'), [400, 200], /errors/],
  [
    'a number of a hundred thousand digits',
    withVariables(`{"n":${'9'.repeat(100_000)}}`),
    [400, 200],
    /errors/,
  ],
  ['the same in the document', `{"query":"{ name(n: ${'9'.repeat(100_000)}) }"}`, [400, 200], /errors/],
  ['half a character', withVariables('{"s":"\\ud800"}'), [200], /"data"/],
  ['half a character in the document', '{"query":"{ name(s: \\"\\ud800\\") }"}', [200, 400], /data|errors/],
  ['NUL', withVariables('{"s":"\\u0000"}'), [200], /\\u0000/],
  ['NUL in the document', '{"query":"{ name \\u0000 }"}', [400, 200], /errors/],
  ['variables as deep as the body', withVariables(`{"given":${deep(100_000)}}`), [400, 200], /errors/],
  [
    'variables as deep as the body, of a type',
    withVariables(`{"given":${'{"more":'.repeat(50_000)}null${'}'.repeat(50_000)}}`),
    [400, 200],
    /errors/,
  ],
  ['a body as deep as it is long', deep(200_000), [400], /errors/],
  [
    'extensions as deep as the body',
    `{"query":"{ name }","extensions":${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}}`,
    [200, 400],
    /./,
  ],
  ['a document as deep as it is long', `{"query":"${'{ name '.repeat(50_000)}"}`, [400, 200], /errors/],
  [
    'values as deep as the document',
    `{"query":"{ name(given: ${'{more:'.repeat(9_000)}${'}'.repeat(9_000)}) }"}`,
    [400, 200],
    /errors/,
  ],
  ['lists as deep as the document', `{"query":"{ name(given: ${deep(4_900)}) }"}`, [400, 200], /errors/],
  [
    'types as deep as the document',
    `{"query":"query ($a: ${'['.repeat(4_900)}Int${']'.repeat(4_900)}) { name }"}`,
    [400, 200],
    /errors/,
  ],
  [
    'fragments that spread themselves',
    '{"query":"{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }"}',
    [400, 200],
    /errors/,
  ],
  [
    'many fragments, one within the other',
    `{"query":"{ ...f0 } ${Array.from({ length: 1_200 }, (_, index) => `fragment f${index} on Query { ...f${index + 1} }`).join(' ')} fragment f1200 on Query { name }"}`,
    [400, 200],
    /./,
  ],
  [
    'a thousand operations',
    `{"query":"${Array.from({ length: 1_000 }, (_, index) => `query q${index} { name }`).join(' ')}","operationName":"q7"}`,
    [200, 400],
    /./,
  ],
  ['no operation', '{"query":"fragment a on Query { name }"}', [400, 200], /errors/],
  ['a subscription where there is none', '{"query":"subscription { a }"}', [400, 200], /errors/],
];

const json = { 'content-type': 'application/json' };
const post = (body: string | Buffer, headers: Record<string, string> = {}) =>
  ask({ url: front.graphUrl, method: 'POST', body, headers: { ...json, ...headers } });

async function expectHonestAnswer(): Promise<void> {
  expect((await front.anyone.request<{ name: string }>('{ name }')).data).toEqual({ name: 'Ada' });
}

function expectClear({ status, text }: Answer, statuses: readonly number[], part: RegExp): void {
  expect(statuses, text.slice(0, 300)).toContain(status);
  expect(text).toMatch(part);
  expect(text).not.toMatch(/node_modules|\.js:\d+|RangeError|TypeError/);
}

describe('GraphQL over HTTP', () => {
  test.each(bodies)('answers a body with %s', async (_what, body, statuses, part) => {
    const [first] = await Promise.all([post(body), expectHonestAnswer()]);
    expectClear(first, statuses, part);
    expectClear(await post(body), statuses, part);
  });

  test.each(bodies)('answers by events a body with %s', async (_what, body, statuses) => {
    const [answer] = await Promise.all([post(body, { accept: 'text/event-stream' }), expectHonestAnswer()]);
    expectClear(answer, [...statuses, 200], /./);
  });

  test.each<[string, string, number[]]>([
    ['no parameters', '', [400]],
    ['a hundred thousand bytes', `?query=${'a'.repeat(100_000)}`, [431]],
    ['a percent sign that begins nothing', '?query={name}&variables=%', [400, 200]],
    ['half of a character', '?query=%7Bname%7D&operationName=%C3', [400, 200]],
    ['a path that is not encoded', '/%zz', [400, 404]],
    ['one parameter several times', '?query=%7Bname%7D&query=%7Bname%7D', [400]],
    ['variables that are none', '?query=%7Bname%7D&variables=%7B', [400]],
    ['variables several times', '?query=%7Bname%7D&variables=%7B%7D&variables=%7B%7D', [400]],
    ['parameters of all objects', '?__proto__=1&constructor=1&query=%7Bname%7D&toString=1', [200]],
    ['variables as deep as they are long', `?query=%7Bname%7D&variables=${deep(5_000)}`, [400, 200]],
    ['extensions that are none', '?query=%7Bname%7D&extensions=x', [400]],
    ['a mutation', '?query=mutation%7Ba%7D', [200, 400, 405]],
    ['ten thousand parameters', `?query=%7Bname%7D&${'a=1&'.repeat(3_500)}`, [200, 400, 431]],
  ])('answers a GET with %s', async (_what, search, statuses) => {
    for (const accept of ['application/json', 'text/event-stream']) {
      const headers = { accept, 'apollo-require-preflight': '1' };
      const [answer] = await Promise.all([
        ask({ url: front.graphUrl + search, headers }),
        expectHonestAnswer(),
      ]);
      expectClear(answer, accept === 'application/json' ? statuses : [...statuses, 200], /./);
    }
  });

  test.each<[string, string | Buffer, Record<string, string>, number[]]>([
    ['a type that is none', '{}', { 'content-type': ';;;' }, [415, 400]],
    ['a form', 'query={name}', { 'content-type': 'application/x-www-form-urlencoded' }, [415]],
    [
      'a charset that nobody knows',
      '{"query":"{ name }"}',
      { 'content-type': 'application/json; charset=x' },
      [200, 400, 415],
    ],
    ['bytes that are no UTF-8', Buffer.from([0x7b, 0xff, 0xfe]), json, [400]],
    [
      'a body that is compressed',
      gzipSync('{"query":"{ name }"}'),
      { ...json, 'content-encoding': 'gzip' },
      [400, 415],
    ],
    ['more than it may have', Buffer.alloc(2_000_000, ' '), json, [413]],
    [
      'an accept that is too long to be remembered',
      '{"query":"{ name }"}',
      { ...json, accept: `text/x-${'a'.repeat(8_000)}` },
      [406, 200],
    ],
    [
      'an accept without sense',
      '{"query":"{ name }"}',
      { ...json, accept: 'multipart/mixed;;;,,,text/event-stream;q=x' },
      [200, 406],
    ],
    [
      'a token without sense',
      '{"query":"{ name }"}',
      { ...json, authorization: `Bearer ${'a.'.repeat(4_000)}` },
      [401],
    ],
    [
      'a trace without sense',
      '{"query":"{ name }"}',
      { ...json, traceparent: '00-x', baggage: ';'.repeat(4_000) },
      [200],
    ],
  ])('answers %s', async (_what, body, headers, statuses) => {
    const [answer] = await Promise.all([
      ask({ url: front.graphUrl, method: 'POST', body, headers }),
      expectHonestAnswer(),
    ]);
    expectClear(answer, statuses, /./);
  });
});

describe('the management port', () => {
  test.each<[string, string, string, string | undefined, number[]]>([
    ['a path that is not encoded', 'GET', '/actuator/%zz', undefined, [400, 404]],
    ['a path above the root', 'GET', '/actuator/../../etc/passwd', undefined, [404, 400]],
    ['a path of all objects', 'GET', '/actuator/__proto__', undefined, [404]],
    ['a breaker of all objects', 'GET', '/actuator/circuitbreakers/constructor', undefined, [404]],
    ['another method', 'DELETE', '/actuator/health', undefined, [400, 404, 405]],
    ['a command without a body', 'POST', '/actuator/supergraph', '', [400]],
    ['a command that is null', 'POST', '/actuator/supergraph', 'null', [400]],
    ['a command that is a list', 'POST', '/actuator/supergraph', '[]', [400]],
    ['a command of all objects', 'POST', '/actuator/supergraph', '{"constructor":1}', [400]],
    ['a command with the prototype', 'POST', '/actuator/supergraph', '{"__proto__":{"follow":true}}', [400]],
    ['a launch that is none', 'POST', '/actuator/supergraph', '{"rollBackTo":1e999}', [400, 404]],
    ['a body as deep as it is long', 'POST', '/actuator/supergraph', deep(100_000), [400]],
    ['a state that is none', 'POST', '/actuator/circuitbreakers/people', '{"updateState":{"a":[]}}', [400]],
    ['more than it may have', 'POST', '/actuator/supergraph', ' '.repeat(2_000_000), [413]],
  ])('answers %s', async (_what, method, path, body, statuses) => {
    const url = `http://127.0.0.1:${front.gateway.ready.ports?.['management']}${path}`;
    const answer = await ask({ url, method, ...(body === undefined ? {} : { body }), headers: json });
    expectClear(answer, statuses, /./);
    expect((await front.actuator('health/liveness')).status).toBe(200);
    await expectHonestAnswer();
  });
});

test('none of it is an error of the gateway', () => {
  expect(front.log('gateway').match(/.*"level":"(error|fatal)".*/g) ?? []).toEqual([]);
});
