import { setTimeout as delay } from 'node:timers/promises';
import { usageOf } from '../process.ts';
import { type Subscribers, startSubscribers } from './subscriber-process.ts';
import type { Stand, Target } from './targets.ts';

/** One figure of one target, in the unit that its row has. */
export type Figures = Readonly<Record<string, number>>;

const shallow = 'subscription { ticked { number sentAtMs } }';
const withEntity = 'subscription { ticked { number sentAtMs product { sku name } } }';
const beforeFirstEventMs = 500;
const firstEventMs = 5_000;

/** Opens subscribers, and resolves when an event has come to each. */
async function openAndReach(
  { ticks }: Stand,
  subscribers: Subscribers,
  target: Target,
  options: { query: string; count: number; tokens?: readonly string[] },
): Promise<void> {
  await subscribers.forget();
  await subscribers.open(target, options);
  // A protocol that does not acknowledge subscriptions leaves no other way to know that all are there.
  for (;;) {
    await delay(beforeFirstEventMs);
    await subscribers.forget();
    ticks.send({ type: 'publish', count: 1 });
    const all = await Promise.race([
      subscribers.untilReceived(options.count).then(() => true),
      delay(firstEventMs, false),
    ]);
    if (all) break;
  }
  await subscribers.forget();
}

async function withSubscribers<T>(run: (subscribers: Subscribers) => Promise<T>): Promise<T> {
  const subscribers = await startSubscribers();
  try {
    return await run(subscribers);
  } finally {
    await subscribers.stop();
  }
}

const idleSubscribers = 10_000;
const warmUpSubscribers = 500;

/**
 * Memory that a subscriber takes of the server, from which nothing comes: the difference of what the process holds after
 * its garbage was collected, without subscribers and with ten thousand. A few hundred are there and gone before, so that
 * code that runs for the first time does not count.
 */
export async function measureIdle(stand: Stand, target: Target, tokens: readonly string[]): Promise<Figures> {
  return withSubscribers(async subscribers => {
    await openAndReach(stand, subscribers, target, { query: shallow, count: warmUpSubscribers, tokens });
    await subscribers.close();
    const before = await usageOf(target.server, { settled: true });
    await openAndReach(stand, subscribers, target, { query: shallow, count: idleSubscribers, tokens });
    const after = await usageOf(target.server, { settled: true });
    await subscribers.close();
    const each = (bytes: number) => bytes / idleSubscribers / 1024;
    return {
      'resident, KiB a subscriber': each(after.residentBytes - before.residentBytes),
      'of it heap and buffers, KiB': each(after.heapBytes - before.heapBytes),
    };
  });
}

/** As many tokens as there are idle subscribers, each of another customer. */
export function mintTokens({ keys }: Stand): Promise<string[]> {
  return Promise.all(
    Array.from({ length: idleSubscribers }, (_, index) => keys.mintToken(`customer-${index}`)),
  );
}

const fanOutSubscribers = 1_000;
const warmUpEvents = 50;
const fanOutEvents = 150;
/** From the arrival of an event at the last subscriber to the next event. */
const pauseMs = 50;

/** Time from publishing an event at the subgraph until a thousand subscribers have it, one event after another. */
export async function measureFanOut(stand: Stand, target: Target): Promise<Figures> {
  return withSubscribers(async subscribers => {
    await openAndReach(stand, subscribers, target, { query: shallow, count: fanOutSubscribers });
    const publish = async (events: number) => {
      await subscribers.forget();
      for (let published = 1; published <= events; published++) {
        stand.ticks.send({ type: 'publish', count: 1 });
        await subscribers.untilReceived(published * fanOutSubscribers);
        await delay(pauseMs);
      }
    };
    await publish(warmUpEvents);
    const before = await usageOf(target.server, { settled: false });
    await publish(fanOutEvents);
    const after = await usageOf(target.server, { settled: false });
    const { p50Ms, p99Ms, lastP50Ms, lastP99Ms } = await subscribers.summarize();
    await subscribers.close();
    return {
      'p50, ms': p50Ms,
      'p99, ms': p99Ms,
      'last subscriber, p50, ms': lastP50Ms,
      'last subscriber, p99, ms': lastP99Ms,
      'CPU of the server an event, ms': (after.cpuMs - before.cpuMs) / fanOutEvents,
    };
  });
}

const eventsUnderWay = 64;
const throughputWarmUpMs = 3_000;
const throughputMs = 10_000;

/** Events a second that come to one subscriber, with so many under way that the server always has something to do. */
export async function measureThroughput(
  stand: Stand,
  target: Target,
  hasEntities: boolean,
): Promise<Figures> {
  return withSubscribers(async subscribers => {
    const query = hasEntities ? withEntity : shallow;
    await openAndReach(stand, subscribers, target, { query, count: 1 });
    let published = 0;
    let going = true;
    const publishing = (async () => {
      while (going) {
        const due = subscribers.received + eventsUnderWay - published;
        published += due;
        stand.ticks.send({ type: 'publish', count: due });
        await subscribers.untilReceived(published - eventsUnderWay + 1);
      }
      await subscribers.untilReceived(published);
    })();
    await delay(throughputWarmUpMs);
    const before = await usageOf(target.server, { settled: false });
    const [firstReceived, firstAtMs] = [subscribers.received, performance.now()];
    await delay(throughputMs);
    const [events, seconds] = [subscribers.received - firstReceived, (performance.now() - firstAtMs) / 1000];
    const after = await usageOf(target.server, { settled: false });
    going = false;
    await publishing;
    await subscribers.close();
    return {
      'events a second': events / seconds,
      'CPU of the server an event, ms': (after.cpuMs - before.cpuMs) / events,
    };
  });
}
