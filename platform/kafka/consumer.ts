import { setTimeout as delay } from 'node:timers/promises';
import type { Consumer, EachMessagePayload, Kafka } from 'kafkajs';
import { Counter, type Registry } from 'prom-client';
import * as z from 'zod';
import { messageOf, PorticoError } from '../errors.ts';
import type { HealthRegistry } from '../health.ts';
import { type Closable, closeOnce } from '../lifecycle.ts';
import type { Logger } from '../log.ts';
import type { EventProducer } from './client.ts';
import { type DomainEvent, fromMessage, headersAsText, MalformedEventError } from './events.ts';

/** What a consumer does with one type of event. It must be idempotent on the event's id. */
export interface EventHandler<T> {
  /** The data that the handler needs; unknown fields are let through. */
  readonly data: z.ZodType<T>;
  readonly handle: (event: DomainEvent<T>) => Promise<void>;
}

/** Makes a handler; the type of its data is the schema's. */
export function eventHandler<T>(
  data: z.ZodType<T>,
  handle: (event: DomainEvent<T>) => Promise<void>,
): EventHandler<unknown> {
  return { data, handle: handle as (event: DomainEvent) => Promise<void> };
}

interface ConsumeOptions {
  readonly kafka: Kafka;
  readonly groupId: string;
  readonly topic: string;
  /** By event type. A type that is not here is skipped: somebody else's. */
  readonly handlers: Readonly<Record<string, EventHandler<unknown>>>;
  /** Takes what can't be handled; its connection tells that the topic exists. */
  readonly deadLetters: EventProducer;
  readonly log: Logger;
  readonly metrics: Registry;
  readonly health: HealthRegistry;
}

/** Name of the topic that takes what a topic's consumers could not handle. */
export function deadLetterTopicOf(topic: string): string {
  return `${topic}.dlq`;
}

/** Headers that a dead letter carries beside those of the message. */
export const deadLetterHeaders = {
  reason: 'dlq-reason',
  topic: 'dlq-original-topic',
  partition: 'dlq-original-partition',
  offset: 'dlq-original-offset',
  group: 'dlq-consumer-group',
  failedAt: 'dlq-failed-at',
} as const;

const firstRetryMs = 100;
const maxRetryMs = 5_000;

/**
 * Consumes a topic in a group, as soon as the broker lets it. A message's offset is committed after its handler's effect
 * is durable. A handler that fails for a passing reason is run again until it succeeds; a message that can't be handled
 * goes to the topic's dead-letter topic with the reason.
 */
export function consume(options: ConsumeOptions): Closable {
  const { kafka, groupId, topic, deadLetters, log, health, metrics } = options;
  const stop = new AbortController();
  const consumer = kafka.consumer({
    groupId,
    sessionTimeout: 10_000,
    rebalanceTimeout: 15_000,
    heartbeatInterval: 3_000,
    maxBytesPerPartition: 256 * 1024,
    // A fetch that waits for messages delays a shutdown by as much.
    maxWaitTimeInMs: 500,
  });
  const handled = new Counter({
    name: 'events_consumed_total',
    help: 'Events by type and outcome: handled, skipped, retried, dead_letter.',
    labelNames: ['topic', 'type', 'outcome'],
    registers: [metrics],
  });
  const state = watchConsumer(consumer);
  health.add('kafka', () => ({ status: state.joined ? 'UP' : 'UNKNOWN', details: { groupId, ...state } }), {
    groups: [],
  });

  async function run(): Promise<void> {
    await deadLetters.connected;
    while (!stop.signal.aborted) {
      try {
        await consumer.connect();
        await consumer.subscribe({ topics: [topic], fromBeginning: true });
        await consumer.run({
          eachMessage: payload => handleMessage(payload, { ...options, handled, signal: stop.signal }),
        });
        log.debug({ topic, groupId }, 'Consuming');
        return;
      } catch (error) {
        if (stop.signal.aborted) return;
        log.warn({ topic }, `Consuming failed to start and will be tried again: ${messageOf(error)}`);
        await delay(maxRetryMs, undefined, { signal: stop.signal }).catch(() => {});
      }
    }
  }

  run().catch(error => log.error({ err: error, topic }, 'Consuming failed'));
  return {
    close: closeOnce(async () => {
      stop.abort(new Error('the consumer closes'));
      await consumer.disconnect();
    }),
  };
}

/** Follows whether the consumer is a member of its group. */
function watchConsumer(consumer: Consumer) {
  const state = { joined: false, crashed: '' };
  consumer.on(consumer.events.GROUP_JOIN, () => {
    state.joined = true;
    state.crashed = '';
  });
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    state.joined = false;
    state.crashed = messageOf(payload.error);
  });
  return state;
}

interface HandleOptions extends ConsumeOptions {
  readonly handled: Counter<'topic' | 'type' | 'outcome'>;
  readonly signal: AbortSignal;
}

async function handleMessage(payload: EachMessagePayload, options: HandleOptions): Promise<void> {
  const { topic, handlers, log, handled, signal } = options;
  let type = 'unknown';
  for (let retryMs = firstRetryMs; ; retryMs = Math.min(retryMs * 2, maxRetryMs)) {
    try {
      const event = fromMessage(payload.message);
      const handler = handlers[event.type];
      type = handler ? event.type : 'other';
      if (handler) await handler.handle({ ...event, data: readData(handler, event) });
      handled.inc({ topic, type, outcome: handler ? 'handled' : 'skipped' });
      return;
    } catch (error) {
      if (signal.aborted) throw error;
      if (!isRetryable(error)) {
        await sendToDeadLetters(payload, messageOf(error), options);
        handled.inc({ topic, type, outcome: 'dead_letter' });
        return;
      }
      handled.inc({ topic, type, outcome: 'retried' });
      log.warn(
        { err: error, offset: payload.message.offset, retryMs },
        `Handling ${type} failed; trying again`,
      );
      await delay(retryMs, undefined, { signal });
      await payload.heartbeat();
    }
  }
}

function readData(handler: EventHandler<unknown>, event: DomainEvent): unknown {
  const data = handler.data.safeParse(event.data);
  if (data.success) return data.data;
  throw new MalformedEventError(
    `${event.type} ${event.id} has data that is not valid: ${z.prettifyError(data.error)}`,
  );
}

/** What is wrong with the message itself stays wrong; anything else may pass. */
function isRetryable(error: unknown): boolean {
  if (error instanceof MalformedEventError) return false;
  return !(error instanceof PorticoError) || error.retryable;
}

async function sendToDeadLetters(
  { topic, partition, message }: EachMessagePayload,
  reason: string,
  { groupId, deadLetters, log }: ConsumeOptions,
): Promise<void> {
  log.error({ topic, partition, offset: message.offset, reason }, 'A message went to the dead-letter topic');
  await deadLetters.send({
    topic: deadLetterTopicOf(topic),
    messages: [
      {
        key: message.key,
        value: message.value,
        headers: {
          ...headersAsText(message.headers ?? {}),
          [deadLetterHeaders.reason]: reason,
          [deadLetterHeaders.topic]: topic,
          [deadLetterHeaders.partition]: String(partition),
          [deadLetterHeaders.offset]: String(message.offset),
          [deadLetterHeaders.group]: groupId,
          [deadLetterHeaders.failedAt]: new Date().toISOString(),
        },
      },
    ],
  });
}
