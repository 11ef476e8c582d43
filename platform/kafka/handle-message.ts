import type { EachMessagePayload } from 'kafkajs';
import type { Counter } from 'prom-client';
import { messageOf } from '../errors.ts';
import type { Logger } from '../log.ts';
import { runInTrace } from '../trace-context.ts';
import type { EventProducer } from './client.ts';
import { deadLetterTopicOf, toDeadLetter } from './dead-letters.ts';
import { type EventHandlers, type ReadEvent, readEvent } from './event-handlers.ts';
import { isRetryable } from './retryable-errors.ts';

/** Options of handling messages. */
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

type Place = Pick<EachMessagePayload, 'topic' | 'partition' | 'message'>;

/**
 * Tries to handle one message. `done` when its effect is durable, or it is somebody else's, or a dead letter; `again` when
 * it failed for a reason that may pass.
 *
 * @throws when the consumer closes meanwhile, or the dead letter can't be sent; the message then comes again
 */
export async function handleMessage(place: Place, options: HandleOptions): Promise<'done' | 'again'> {
  const { topic, partition, message } = place;
  const log = options.log.child({ topic, partition, offset: message.offset });
  let read: ReadEvent;
  try {
    read = readEvent(message, options.handlers);
  } catch (error) {
    return deadLetter(place, 'unknown', error, { ...options, log });
  }
  const { event } = read;
  return runInTrace(event.trace, () =>
    handleEvent(place, read, { ...options, log: log.child({ eventId: event.id, type: event.type }) }),
  );
}

async function handleEvent(
  place: Place,
  { event, handler }: ReadEvent,
  options: HandleOptions,
): Promise<'done' | 'again'> {
  const { log, handled, onTry, signal } = options;
  const { topic } = place;
  if (!handler) {
    handled.inc({ topic, type: 'other', outcome: 'skipped' });
    return 'done';
  }
  const tried = onTry();
  try {
    await handler.handle(event);
    handled.inc({ topic, type: event.type, outcome: 'handled' });
    log.debug('Handled');
    return 'done';
  } catch (error) {
    if (signal.aborted) throw error;
    if (!isRetryable(error)) return await deadLetter(place, event.type, error, options);
    handled.inc({ topic, type: event.type, outcome: 'retried' });
    log.warn({ err: error }, 'Handling an event failed; trying again');
    return 'again';
  } finally {
    tried();
  }
}

async function deadLetter(
  place: Place,
  type: string,
  error: unknown,
  { groupId, deadLetters, handled, log }: HandleOptions,
): Promise<'done'> {
  const reason = messageOf(error).trim();
  await deadLetters.send({
    topic: deadLetterTopicOf(place.topic),
    messages: [toDeadLetter(place, { reason, group: groupId })],
  });
  handled.inc({ topic: place.topic, type, outcome: 'dead_letter' });
  log.error({ reason }, 'A message went to the dead-letter topic');
  return 'done';
}
