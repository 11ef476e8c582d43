import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { useFront } from '../helpers/front.ts';
import { metricOf } from '../helpers/metrics.ts';
import type { LoadMessage, LoadOutcome } from './overload-process.ts';

/** Time that the subgraph takes for an answer, in ms. */
const answerMs = 20;
const maxConcurrent = 20;
/** Length of the time in which the gateway gets twice what it can serve, in s. */
const overloadSeconds = 60;
/** Share of the memory before to which it has to come back, and the time for that. */
const memoryShare = 1.25;
const memoryMs = 60_000;
/** Time by which a busy machine may be late, in ms. Without a limit, requests would wait for half a minute in the end. */
const latenessMs = 1_500;

const front = useFront({ env: { GATEWAY_MAX_CONCURRENT_REQUESTS: String(maxConcurrent) } });
const load = fork(join(import.meta.dirname, 'overload-process.ts'), { execArgv: ['--import', 'tsx'] });

beforeAll(async () => {
  const subgraph = await front.serve({
    name: 'slow',
    leaseSeconds: 3_600,
    typeDefs: 'type Query { slow: String }',
    resolvers: { Query: { slow: () => delay(answerMs, 'done') } },
  });
  await subgraph.register();
  await vi.waitFor(async () => expect((await front.supergraph()).subgraphs.length).toBe(1), {
    timeout: 10_000,
    interval: 50,
  });
});
afterAll(() => {
  load.disconnect();
});

async function send(message: Omit<LoadMessage, 'url' | 'query'>): Promise<LoadOutcome> {
  load.send({ url: front.graphUrl, query: '{ slow }', ...message });
  const [outcome] = (await once(load, 'message')) as [LoadOutcome];
  return outcome;
}

const memory = () => metricOf(front.gateway, 'process_resident_memory_bytes');
const megabytes = (bytes: number) => Math.round(bytes / 1024 ** 2);

test('twice the load that a gateway can serve keeps nobody waiting, and leaves nothing behind', {
  timeout: 240_000,
}, async () => {
  await send({ concurrency: maxConcurrent, seconds: 3 });
  const full = await send({ concurrency: maxConcurrent, seconds: 5 });
  expect(full.others).toEqual({});
  const capacity = full.accepted / 5;
  const quiet = await send({ ratePerSecond: capacity / 2, seconds: 10 });
  const before = await memory();
  const twice = await send({ ratePerSecond: capacity * 2, seconds: overloadSeconds });
  const after = await memory();
  console.log(
    `capacity ${Math.round(capacity)}/s; quiet p50 ${Math.round(quiet.acceptedP50Ms)} ms, p99 ${Math.round(quiet.acceptedP99Ms)} ms; ` +
      `twice: ${twice.accepted} accepted with p50 ${Math.round(twice.acceptedP50Ms)} ms, p99 ${Math.round(twice.acceptedP99Ms)} ms, ` +
      `${twice.refused} refused with p99 ${Math.round(twice.refusedP99Ms)} ms; memory ${megabytes(before)} MB before, ${megabytes(after)} MB after`,
  );
  expect(quiet.others).toEqual({});
  expect(twice.others).toEqual({});
  // What it can serve, it serves on.
  expect(twice.accepted / overloadSeconds).toBeGreaterThan(capacity * 0.5);
  expect(twice.refused).toBeGreaterThan(0);
  expect(twice.saysWhen).toBe(true);
  expect(twice.acceptedP99Ms).toBeLessThan(quiet.acceptedP99Ms * 3 + latenessMs);
  expect(twice.refusedP99Ms).toBeLessThan(quiet.acceptedP99Ms * 3 + latenessMs);
  await expect.poll(memory, { timeout: memoryMs, interval: 1_000 }).toBeLessThan(before * memoryShare);
  expect((await front.anyone.request<{ slow: string }>('{ slow }')).data).toEqual({ slow: 'done' });
});
