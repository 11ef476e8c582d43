import { once } from 'node:events';
import type { Admin, Kafka } from 'kafkajs';
import { Gauge, type Registry } from 'prom-client';
import { pause } from '../backoff.ts';
import { withTimeout } from '../deadline.ts';
import { messageOf } from '../errors.ts';
import { type Closable, closeOnce } from '../lifecycle.ts';
import type { Logger } from '../log.ts';

interface LagOptions {
  readonly kafka: Kafka;
  readonly groupId: string;
  readonly topic: string;
  /** Time between two looks, and longest time of each, in ms. */
  readonly intervalMs: number;
  readonly metrics: Registry;
  readonly log: Logger;
  /** Resolves when the topic exists. The first look waits for it, but no longer than an interval. */
  readonly ready: Promise<unknown>;
  /** Called after each look, with what went wrong if the broker did not answer. */
  readonly onLook: (failure: string | undefined) => void;
}

/** Longest wait for what is under way when this closes, in ms. */
const disconnectTimeoutMs = 1_000;

function createAdmin(kafka: Kafka): Admin {
  return kafka.admin({ retry: { retries: 0 } });
}

/**
 * Measures how far a consumer group is behind the end of a topic, with a few small requests a look. While the broker does not
 * answer there is no lag to see, rather than an old one.
 */
export function measureLag({
  kafka,
  groupId,
  topic,
  intervalMs,
  ready,
  metrics,
  log,
  onLook,
}: LagOptions): Closable {
  const lag = new Gauge({
    name: 'events_consumer_lag',
    help: 'Messages that the consumer group has not got to yet, by partition.',
    labelNames: ['topic', 'partition', 'group'],
    registers: [metrics],
  });
  const stop = new AbortController();
  const stopped = once(stop.signal, 'abort');
  let admin = createAdmin(kafka);

  async function look(): Promise<void> {
    await admin.connect();
    for (const { partition, messages } of await readLag(admin, groupId, topic))
      lag.set({ topic, partition, group: groupId }, messages);
  }

  async function run(): Promise<void> {
    await Promise.race([ready, pause(intervalMs, stop.signal)]);
    while (!stop.signal.aborted) {
      try {
        const looking = withTimeout(look(), intervalMs, `Asking for the offsets of '${topic}'`);
        await Promise.race([looking, stopped]);
        onLook(undefined);
      } catch (error) {
        lag.reset();
        // Its connections may be of no use any more, and end only when what was asked over them has timed out.
        admin.disconnect().catch(() => {});
        admin = createAdmin(kafka);
        onLook(messageOf(error));
        log.debug({ topic, groupId }, `The lag cannot be told: ${messageOf(error)}`);
      }
      await pause(intervalMs, stop.signal);
    }
  }

  const running = run();
  return {
    close: closeOnce(async () => {
      stop.abort();
      await running;
      await withTimeout(admin.disconnect(), disconnectTimeoutMs, 'Disconnecting').catch(() => {});
    }),
  };
}

/** Messages of each partition between what the group has committed, or the oldest, and the end. */
async function readLag(admin: Admin, groupId: string, topic: string) {
  const [ends, [committed]] = await Promise.all([
    admin.fetchTopicOffsets(topic),
    admin.fetchOffsets({ groupId, topics: [topic] }),
  ]);
  const committedByPartition = new Map(
    committed?.partitions.map(({ partition, offset }) => [partition, BigInt(offset)]),
  );
  return ends.map(({ partition, low, high }) => {
    // -1 is a partition of which nothing was committed yet. What is older than the oldest message is gone.
    const next = committedByPartition.get(partition) ?? -1n;
    const from = next > BigInt(low) ? next : BigInt(low);
    return { partition, messages: Math.max(0, Number(BigInt(high) - from)) };
  });
}
