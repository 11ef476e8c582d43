import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { useFront } from '../helpers/front.ts';
import { type RawSubgraph, serveRawSubgraph } from './raw-subgraph.ts';

/** Longest time until a hostile subgraph has its answer refused, in ms. */
const answerMs = 5_000;

const sdl = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])
  scalar Anything
  interface Named { name: String! }
  type Pen implements Named @key(fields: "id") { id: ID! name: String! next: Pen }
  type Query { anything: Anything pens: [Pen!] named: Named count: Int! text: String }
  type Subscription { ticked: Int anyTick: Anything }`;

const front = useFront({
  env: {
    SUBGRAPH_MAX_RESPONSE_BYTES: '1048576',
    SUBGRAPH_BREAKER_MINIMUM_CALLS: '1000',
    SUBGRAPH_TIMEOUT_MS: '2000',
  },
});
let hostile: RawSubgraph;

beforeAll(async () => {
  const honest = await front.serve({
    name: 'people',
    typeDefs: 'type Query { name: String }',
    resolvers: { Query: { name: () => 'Ada' } },
  });
  await honest.register();
  hostile = await serveRawSubgraph({ name: 'hostile', sdl, registryUrl: front.registryUrl });
  await vi.waitFor(async () => expect((await front.supergraph()).subgraphs.length).toBe(2), {
    timeout: 10_000,
    interval: 50,
  });
});
afterAll(() => hostile.close());

const deep = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;
const data = (json: string) => `{"data":${json}}`;
const query = '{ name anything pens { id name next { name } } named { name } text }';

/** Answers of a subgraph in which nothing is as it should be. */
const answers: [string, string | Buffer, Record<string, string | string[]>?][] = [
  ['nothing', ''],
  ['no JSON', '<html>'],
  ['half of it', '{"data":{"anything":'],
  ['null', 'null'],
  ['a list', '[]'],
  ['a number', '1e999'],
  ['data that is a list', data('[]')],
  ['data that is a text', data('"x"')],
  ['errors that are none', '{"errors":[1,null,"x",{}]}'],
  [
    'errors with places that are none',
    '{"data":{},"errors":[{"message":"a","path":[{},null,-1,1e400,"__proto__"],"locations":"x","extensions":[]}]}',
  ],
  [
    'errors at places of other objects',
    '{"data":{"text":null},"errors":[{"message":"a","path":["__proto__","constructor",0]}]}',
  ],
  [
    'errors of which each is large',
    JSON.stringify({ data: {}, errors: Array.from({ length: 20_000 }, () => ({ message: 'x'.repeat(20) })) }),
  ],
  [
    'errors whose place is none',
    '{"data":{},"errors":[{"message":"a","path":{"length":1}},{"message":"b","path":"text"},{"message":"c","path":7}]}',
  ],
  [
    'an error whose place has no end',
    JSON.stringify({
      data: {},
      errors: [{ message: 'a', path: Array.from({ length: 100_000 }, () => 'text') }],
    }),
  ],
  [
    'extensions of other objects',
    '{"data":{},"extensions":{"__proto__":{"a":1},"constructor":{"prototype":1}}}',
  ],
  ['fields of other objects', data('{"__proto__":{"text":"x"},"constructor":1,"toString":1}')],
  ['lists for objects', data('{"pens":{"length":4294967295},"named":[{"name":"a"}],"text":["x"]}')],
  ['objects for lists', data('{"pens":[[{"id":1}],1,null,"x"],"named":1,"text":{}}')],
  [
    'types that there are not',
    data('{"named":{"__typename":"__proto__","name":"a"},"pens":[{"__typename":"constructor"}]}'),
  ],
  ['types that are none', data('{"named":{"__typename":{"a":1},"name":"a"}}')],
  ['lone surrogates', data('{"text":"\\ud800","anything":"\\udfff"}')],
  ['deep nesting', data(`{"anything":${deep(2_000)}}`)],
  ['nesting that fills the stack', data(`{"anything":${deep(100_000)}}`)],
  [
    'nesting that fills the stack in errors',
    `{"data":{},"errors":[{"message":"a","extensions":{"a":${deep(100_000)}}}]}`,
  ],
  [
    'nesting that fills the stack elsewhere',
    `{"data":{"text":${deep(100_000)},"pens":${deep(100_000)}},"extensions":{"a":${deep(100_000)}}}`,
  ],
  ['a length that lies', data('{}'), { 'content-length': '1000000' }],
  ['more than it may', data(`{"text":"${'x'.repeat(2_000_000)}"}`)],
  ['a compression that is none', 'x', { 'content-encoding': 'gzip' }],
  ['a compression that nobody knows', 'x', { 'content-encoding': 'x'.repeat(1_000) }],
  [
    'compressions without end',
    'x',
    { 'content-encoding': Array.from({ length: 1_000 }, () => 'gzip').join() },
  ],
  [
    'a thousand times what was sent',
    gzipSync(Buffer.alloc(100_000_000, ' ')),
    { 'content-encoding': 'gzip' },
  ],
  [
    'the same, twice compressed',
    gzipSync(gzipSync(Buffer.alloc(100_000_000, ' '))),
    { 'content-encoding': 'gzip, gzip' },
  ],
  ['headers of clients, twice', data('{"text":"x"}'), { 'cache-control': ['max-age=60', 'private'] }],
  ['cookies without sense', data('{"text":"x"}'), { 'set-cookie': ['\u0080=\u00ff', ';;;', ''] }],
  ['headers that are too large', data('{"text":"x"}'), { 'x-large': 'x'.repeat(100_000) }],
];

describe('a subgraph that answers with', () => {
  test.each(answers)('%s keeps nobody from the others', async (_what, body, headers) => {
    hostile.answerWith(response => {
      response.writeHead(200, { 'content-type': 'application/json', ...headers });
      response.end(body);
    });
    // The first is answered by Apollo Server, the second is known.
    for (const unknown of [true, false]) {
      const startedAt = performance.now();
      const response = await fetch(front.graphUrl, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query: unknown ? `# ${_what}\n${query}` : query }),
      });
      const text = await response.text();
      expect([response.status, text.slice(0, 300)]).toEqual([200, expect.any(String)]);
      expect((JSON.parse(text) as { data: { name: string } }).data.name).toBe('Ada');
      expect(performance.now() - startedAt).toBeLessThan(answerMs);
    }
    expect((await front.anyone.request<{ name: string }>('{ name }')).data).toEqual({ name: 'Ada' });
  });
});

test('none of it is an error of the gateway', () => {
  expect(front.log('gateway').match(/.*"level":"(error|fatal)".*/g) ?? []).toEqual([]);
});
