import { once } from 'node:events';
import type { Consumer, Kafka } from 'kafkajs';
import { Counter, type Registry } from 'prom-client';
import { Backoff, pause } from '../backoff.ts';
import { withTimeout } from '../deadline.ts';
import { messageOf } from '../errors.ts';
import type { HealthRegistry } from '../health.ts';
import { type Closable, closeOnce } from '../lifecycle.ts';
import type { Logger } from '../log.ts';
import type { EventProducer } from './client.ts';
import { measureLag } from './consumer-lag.ts';
import type { EventHandlers } from './event-handlers.ts';
import { createBatchHandler } from './handle-batch.ts';
import type { HandleOptions } from './handle-message.ts';
import { followProgress, type Progress } from './progress.ts';
import type { KafkaConfig } from './settings.ts';

interface ConsumeOptions {
  readonly kafka: Kafka;
  readonly config: Pick<KafkaConfig, 'KAFKA_STUCK_AFTER_MS'>;
  readonly groupId: string;
  readonly topic: string;
  readonly handlers: EventHandlers;
  /** Takes what can't be handled; its connection tells that the topic exists. */
  readonly deadLetters: EventProducer;
  readonly log: Logger;
  readonly metrics: Registry;
  readonly health: HealthRegistry;
}

/** Partitions whose messages are handled at the same time; fewer than a service's connections to its database. */
const concurrentPartitions = 4;
const firstRestartMs = 200;
/** Age of a consumer from which its crash counts as the first again, in ms. */
const steadyMs = 5_000;
/** Longest wait at the close for handlers and the broker, in ms; what was not committed then comes again. */
const leaveTimeoutMs = 3_000;
/** Longest time between two looks at the lag, in ms. */
const maxLagIntervalMs = 10_000;

/**
 * Consumes a topic in a group, as soon as the broker lets it. A message's offset is committed after its handler's effect
 * is durable. A handler that fails for a passing reason is run again until it succeeds, and what is behind that message in
 * its partition waits; a message that can't be handled goes to the topic's dead-letter topic with the reason.
 *
 * A consumer that crashes is replaced by a new one. One that gets stuck while the broker answers fails liveness.
 */
export function consume(options: ConsumeOptions): Closable {
  const { kafka, config, groupId, topic, deadLetters, log, health, metrics } = options;
  const { KAFKA_STUCK_AFTER_MS: stuckAfterMs } = config;
  const stop = new AbortController();
  const stopped = once(stop.signal, 'abort');
  let current: Consumer | undefined;
  const progress = followProgress({ groupId, stuckAfterMs });
  health.add('kafka', progress.check, { groups: ['liveness'] });
  const restarts = new Counter({
    name: 'events_consumer_restarts_total',
    help: 'Times that a consumer crashed and was replaced.',
    labelNames: ['topic', 'group'],
    registers: [metrics],
  });
  const handling: HandleOptions = {
    ...options,
    handled: new Counter({
      name: 'events_consumed_total',
      help: 'Events by type and outcome: handled, skipped, retried, dead_letter.',
      labelNames: ['topic', 'type', 'outcome'],
      registers: [metrics],
    }),
    onTry: progress.trying,
    signal: stop.signal,
  };
  const lag = measureLag({
    ...options,
    ready: deadLetters.connected,
    intervalMs: Math.min(maxLagIntervalMs, stuckAfterMs / 3),
    onLook: failure => {
      if (failure !== undefined) progress.failedToConnect(failure);
    },
  });

  /** Consumes until the consumer crashes. @throws what it crashed with */
  async function consumeOnce(): Promise<void> {
    const consumer = createConsumer(kafka, groupId);
    current = consumer;
    const crashed = crashOf(consumer);
    reportProgress(consumer, progress);
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: [topic], fromBeginning: true });
      await consumer.run({
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: concurrentPartitions,
        eachBatch: createBatchHandler(handling),
      });
      log.debug({ topic, groupId }, 'Consuming');
      await Promise.race([crashed, stopped]);
    } finally {
      progress.entered('starting');
      await consumer.disconnect().catch(() => {});
    }
  }

  async function run(): Promise<void> {
    await Promise.race([deadLetters.connected, stopped]);
    const backoff = new Backoff({ firstMs: firstRestartMs });
    while (!stop.signal.aborted) {
      const startedAtMs = performance.now();
      try {
        await consumeOnce();
      } catch (error) {
        if (stop.signal.aborted) return;
        restarts.inc({ topic, group: groupId });
        if (performance.now() - startedAtMs > steadyMs) backoff.reset();
        const restartMs = backoff.next();
        log.warn({ topic, groupId, restartMs }, `The consumer ended and is replaced: ${messageOf(error)}`);
        await pause(restartMs, stop.signal);
      }
    }
  }

  run().catch(error => {
    if (!stop.signal.aborted) log.error({ err: error, topic }, 'Consuming failed');
  });
  return {
    close: closeOnce(async () => {
      stop.abort(new Error('the consumer closes'));
      const left = withTimeout(Promise.resolve(current?.disconnect()), leaveTimeoutMs, 'Leaving the group');
      await Promise.all([left.catch(error => log.warn({ groupId }, messageOf(error))), lag.close()]);
    }),
  };
}

function createConsumer(kafka: Kafka, groupId: string): Consumer {
  return kafka.consumer({
    groupId,
    sessionTimeout: 10_000,
    rebalanceTimeout: 15_000,
    heartbeatInterval: 3_000,
    maxBytesPerPartition: 256 * 1024,
    // A fetch that waits for messages delays a shutdown by as much.
    maxWaitTimeInMs: 500,
    // It would not restart for every error (https://github.com/tulios/kafkajs/issues/1443): we do.
    retry: { initialRetryTime: 100, maxRetryTime: 2_000, retries: 8, restartOnFailure: async () => false },
  });
}

/** @throws what the consumer crashes with */
function crashOf(consumer: Consumer): Promise<never> {
  const crashed = new Promise<never>((_, reject) => {
    consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
  });
  // It may crash before anybody waits for it.
  crashed.catch(() => {});
  return crashed;
}

function reportProgress(consumer: Consumer, progress: Progress): void {
  const { GROUP_JOIN, REBALANCING, FETCH, HEARTBEAT } = consumer.events;
  consumer.on(GROUP_JOIN, () => progress.made('consuming'));
  consumer.on(REBALANCING, () => progress.entered('rebalancing'));
  consumer.on(FETCH, () => progress.made());
  consumer.on(HEARTBEAT, () => progress.made());
}
