import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { useFront } from '../helpers/front.ts';
import { metricOf } from '../helpers/metrics.ts';
import { ask } from './exchange.ts';
import { type RawSubgraph, serveRawSubgraph } from './raw-subgraph.ts';

/** Bombs that are under way at once, and all of one kind. */
const atOnce = 4;
const bombsOfEach = 40;
/** Bound of an honest client's p99 while bombs come, against that of before. */
const times = 10;
const latenessMs = 2_000;
/** Time that all bombs of one kind may take. */
const bombsMs = 60_000;

const sdl = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])
  type Query { items(first: Int): [Item!] slow: String bomb: String }
  type Item @key(fields: "id") { id: ID! name: String tags: [String!] next: Item }`;

const front = useFront({
  env: {
    SUBGRAPH_TIMEOUT_MS: '3000',
    SUBGRAPH_BREAKER_MINIMUM_CALLS: '10000',
    GATEWAY_MAX_CONCURRENT_REQUESTS: '50',
  },
});
let hostile: RawSubgraph;

beforeAll(async () => {
  const honest = await front.serve({
    name: 'people',
    leaseSeconds: 3_600,
    typeDefs: 'type Query { name: String }',
    resolvers: { Query: { name: () => 'Ada' } },
  });
  await honest.register();
  hostile = await serveRawSubgraph({ name: 'items', sdl, registryUrl: front.registryUrl });
  await vi.waitFor(async () => expect((await front.supergraph()).subgraphs.length).toBe(2), {
    timeout: 10_000,
    interval: 50,
  });
});
afterAll(() => hostile.close());

/** Asks as an honest client does, one request after the other, until something is over. @returns p99, in ms */
async function honestP99While(happens: Promise<unknown>): Promise<number> {
  const tookMs: number[] = [];
  let isOver = false;
  void happens.finally(() => {
    isOver = true;
  });
  while (!isOver || tookMs.length < 50) {
    const startedAtMs = performance.now();
    expect((await front.anyone.request<{ name: string }>('{ name }')).data).toEqual({ name: 'Ada' });
    tookMs.push(performance.now() - startedAtMs);
    await delay(10);
  }
  return tookMs.sort((a, b) => a - b)[Math.floor(tookMs.length * 0.99)] ?? 0;
}

/** Sends bombs, several at once. @returns how often each status came */
async function drop(queryOf: (index: number) => string): Promise<Record<number, number>> {
  const statuses: Record<number, number> = {};
  let begun = 0;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (begun < bombsOfEach) {
        begun += 1;
        const body = JSON.stringify({ query: queryOf(begun) });
        const headers = { 'content-type': 'application/json' };
        const { status } = await ask({
          url: front.graphUrl,
          method: 'POST',
          headers,
          body,
          withinMs: 20_000,
        });
        statuses[status] = (statuses[status] ?? 0) + 1;
      }
    }),
  );
  return statuses;
}

const aliases = (count: number, field: string) =>
  `{ ${Array.from({ length: count }, (_, index) => `a${index}: ${field}`).join(' ')} }`;
const doubling = (levels: number) =>
  `{ items { ...f0 } } ${Array.from({ length: levels }, (_, index) => `fragment f${index} on Item { a: next { ...f${index + 1} } b: next { ...f${index + 1} } }`).join(' ')} fragment f${levels} on Item { id }`;
const small = '{"data":{}}';
const item = {
  __typename: 'Item',
  id: '1',
  name: 'x'.repeat(100),
  tags: Array.from({ length: 20 }, () => 'tag'),
};
const zeros = gzipSync(Buffer.alloc(500_000_000));
const manyErrors = JSON.stringify({
  data: {},
  errors: Array.from({ length: 100_000 }, () => ({ message: 'a', path: ['bomb', 0, 'x'] })),
});

const manyItems = JSON.stringify({ data: { items: Array.from({ length: 100_000 }, (_, id) => ({ id })) } });

/** Bombs: what a client asks, and what the subgraph answers. */
const bombs: [string, (index: number) => string, Parameters<RawSubgraph['answerWith']>[0]][] = [
  [
    'four hundred aliases of a list',
    index => aliases(400, `items(first: ${index}) { id name tags }`),
    response => response.end(small),
  ],
  [
    'nine hundred fields of one list',
    index => `{ items(first: ${index}) { ${'id name '.repeat(450)} } }`,
    response => response.end(JSON.stringify({ data: { items: Array.from({ length: 100 }, () => item) } })),
  ],
  [
    'fragments that double thirty times',
    index => `${doubling(30)} # ${index}`,
    response => response.end(small),
  ],
  [
    'a million fields through fragments',
    index => `${doubling(19)} # ${index}`,
    response => response.end(small),
  ],
  [
    'fields that overlap',
    index => `{ ${'items { id next { id } } '.repeat(400)} } # ${index}`,
    response => response.end(small),
  ],
  [
    'directives without end',
    index => `{ items { id ${'@include(if: true) '.repeat(3_000)} } } # ${index}`,
    response => response.end(small),
  ],
  [
    'compressions of half a gigabyte',
    index => `{ bomb } # ${index}`,
    response => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' });
      response.end(zeros);
    },
  ],
  ['a hundred thousand errors', index => `{ bomb } # ${index}`, response => response.end(manyErrors)],
  [
    'lists of a hundred thousand items',
    index => `{ items(first: ${index}) { id } }`,
    response => response.end(manyItems),
  ],
  ['answers that do not come', index => `{ slow } # ${index}`, () => {}],
  [
    'answers without an end',
    index => `{ bomb } # ${index}`,
    response => {
      const timer = setInterval(() => response.write('          '), 20);
      response.on('close', () => clearInterval(timer));
    },
  ],
];

describe('an honest client is served beside', () => {
  test.each(bombs)('%s', { timeout: 2 * bombsMs }, async (what, queryOf, answer) => {
    hostile.answerWith(answer);
    const quietMs = await honestP99While(delay(1_500));
    const startedAtMs = performance.now();
    const dropping = drop(queryOf);
    const duringMs = await honestP99While(dropping);
    const statuses = await dropping;
    const tookMs = performance.now() - startedAtMs;
    const memory = Math.round((await metricOf(front.gateway, 'process_resident_memory_bytes')) / 1024 ** 2);
    console.log(
      `${what}: p99 ${Math.round(quietMs)} ms quiet, ${Math.round(duringMs)} ms during; ${bombsOfEach} bombs took ${Math.round(tookMs)} ms, ${JSON.stringify(statuses)}; ${memory} MB`,
    );
    expect(duringMs).toBeLessThan(quietMs * times + latenessMs);
    expect(tookMs).toBeLessThan(bombsMs);
    expect(statuses[0] ?? 0).toBe(0);
    expect(statuses[500] ?? 0).toBe(0);
  });
});
