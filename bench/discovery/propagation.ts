import { setTimeout as delay } from 'node:timers/promises';
import { createParser } from 'eventsource-parser';
import type { Pool } from 'undici';
import { percentile } from '../figures.ts';
import { idOf, registerInstance } from './instances.ts';
import type { MeasuredRegistry } from './registry-process.ts';

const known = 1_000;
const registrations = 1_000;
const perSecond = 200;
const followers = 20;
/** Other work on the machine shows in one round or another. */
const rounds = 3;

/** Opens a change stream. @returns once its snapshot is there; `onId` gets each instance that changed, as it arrives */
async function follow(url: string, signal: AbortSignal, onId: (id: string) => void): Promise<void> {
  const response = await fetch(`${url}/eureka/changes`, { signal });
  return new Promise((resolve, reject) => {
    const parser = createParser({
      onEvent({ event, data }) {
        if (event === 'snapshot') resolve();
        if (event === 'change')
          onId((JSON.parse(data) as { instance: { instanceId: string } }).instance.instanceId);
      },
    });
    const read = async () => {
      const decoder = new TextDecoder();
      for await (const chunk of response.body ?? [])
        parser.feed(decoder.decode(chunk as Uint8Array, { stream: true }));
    };
    read().catch(error => (signal.aborted ? undefined : reject(error)));
  });
}

/**
 * Measures how long it takes from sending a registration to its arrival at each of the followers, in a registry that
 * knows a thousand instances and takes two hundred more each second.
 */
export async function measurePropagation({ url, pool }: MeasuredRegistry): Promise<void> {
  for (let index = 0; index < known; index++) await registerInstance(pool, index);
  const sentAtById = new Map<string, number>();
  let latenciesMs: number[] = [];
  const stop = new AbortController();
  const onId = (id: string) => {
    const sentAt = sentAtById.get(id);
    if (sentAt !== undefined) latenciesMs.push(performance.now() - sentAt);
  };
  await Promise.all(Array.from({ length: followers }, () => follow(url, stop.signal, onId)));
  console.log(
    `register to follower, ${known} instances, ${followers} followers, ${registrations} registrations at ${perSecond}/s:`,
  );
  for (let round = 0; round < rounds; round++) {
    latenciesMs = [];
    await registerMany(pool, sentAtById);
    while (latenciesMs.length < registrations * followers) await delay(10);
    const [p50, p99, max] = [0.5, 0.99, 1].map(share => percentile(latenciesMs, share).toFixed(1));
    console.log(`  p50 ${p50} ms, p99 ${p99} ms, max ${max} ms`);
  }
  stop.abort();
}

async function registerMany(pool: Pool, sentAtById: Map<string, number>): Promise<void> {
  const startedAt = performance.now();
  const pending: Promise<void>[] = [];
  for (let count = 0; count < registrations; count++) {
    const dueAt = startedAt + (count * 1000) / perSecond;
    if (dueAt > performance.now()) await delay(dueAt - performance.now());
    sentAtById.set(idOf(known + count), performance.now());
    pending.push(registerInstance(pool, known + count));
  }
  await Promise.all(pending);
}
