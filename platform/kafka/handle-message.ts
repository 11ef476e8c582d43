import { setTimeout as delay } from 'node:timers/promises';
import type { EachMessagePayload } from 'kafkajs';
import type { Counter } from 'prom-client';
import { messageOf } from '../errors.ts';
import type { Logger } from '../log.ts';
import { runInTrace } from '../trace-context.ts';
import type { EventProducer } from './client.ts';
import { deadLetterTopicOf, toDeadLetter } from './dead-letters.ts';
import { type EventHandlers, type ReadEvent, readEvent } from './event-handlers.ts';
import { mayPass } from './passing-errors.ts';

/** What handling messages needs. */
export interface HandleOptions {
  readonly handlers: EventHandlers;
  readonly groupId: string;
  /** Takes what can't be handled. */
  readonly deadLetters: EventProducer;
  readonly log: Logger;
  /** Counts what came of each message, and each try that failed. */
  readonly handled: Counter<'topic' | 'type' | 'outcome'>;
  /** Called when a handler begins to try; returns what is called when it has ended, well or not. */
  readonly onTry: () => () => void;
  readonly signal: AbortSignal;
}

const firstRetryMs = 100;
const maxRetryMs = 5_000;

/**
 * Handles one message. Resolves when its effect is durable, or when it is somebody else's, or a dead letter.
 *
 * @throws when the consumer closes or is not a member of its group any more; the message then comes again
 */
export async function handleMessage(payload: EachMessagePayload, options: HandleOptions): Promise<void> {
  const { topic, partition, message } = payload;
  const log = options.log.child({ topic, partition, offset: message.offset });
  let read: ReadEvent;
  try {
    read = readEvent(message, options.handlers);
  } catch (error) {
    await putAside(payload, 'unknown', error, { ...options, log });
    return;
  }
  const { event } = read;
  await runInTrace(event.trace, () =>
    handleEvent(payload, read, { ...options, log: log.child({ eventId: event.id, type: event.type }) }),
  );
}

async function handleEvent(
  payload: EachMessagePayload,
  { event, handler }: ReadEvent,
  options: HandleOptions,
): Promise<void> {
  const { log, handled, onTry, signal } = options;
  const { topic } = payload;
  if (!handler) {
    handled.inc({ topic, type: 'other', outcome: 'skipped' });
    return;
  }
  for (let retryMs = firstRetryMs; ; retryMs = Math.min(retryMs * 2, maxRetryMs)) {
    const tried = onTry();
    try {
      await handler.handle(event);
      handled.inc({ topic, type: event.type, outcome: 'handled' });
      log.debug('Handled');
      return;
    } catch (error) {
      if (signal.aborted) throw error;
      if (!mayPass(error)) {
        await putAside(payload, event.type, error, options);
        return;
      }
      handled.inc({ topic, type: event.type, outcome: 'retried' });
      log.warn({ err: error, retryMs }, 'Handling an event failed; trying again');
    } finally {
      tried();
    }
    await delay(retryMs, undefined, { signal });
    await payload.heartbeat();
  }
}

async function putAside(
  payload: EachMessagePayload,
  type: string,
  error: unknown,
  { groupId, deadLetters, handled, log }: HandleOptions,
): Promise<void> {
  const reason = messageOf(error).trim();
  await deadLetters.send({
    topic: deadLetterTopicOf(payload.topic),
    messages: [toDeadLetter(payload, { reason, group: groupId })],
  });
  handled.inc({ topic: payload.topic, type, outcome: 'dead_letter' });
  log.error({ reason }, 'A message went to the dead-letter topic');
}
