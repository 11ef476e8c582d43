import type { KafkaMessage } from 'kafkajs';
import * as z from 'zod';
import { type DomainEvent, fromMessage, MalformedEventError } from './events.ts';

/** Handler of one type of event. It must be idempotent on the event's id. */
export interface EventHandler<T> {
  /** The data that the handler needs; unknown fields are let through. */
  readonly data: z.ZodType<T>;
  readonly handle: (event: DomainEvent<T>) => Promise<void>;
}

/** Handlers by event type. Types of other names are somebody else's. */
export type EventHandlers = Readonly<Record<string, EventHandler<unknown>>>;

/** Makes a handler; the type of its data is the schema's. */
export function eventHandler<T>(
  data: z.ZodType<T>,
  handle: (event: DomainEvent<T>) => Promise<void>,
): EventHandler<unknown> {
  return { data, handle: handle as (event: DomainEvent) => Promise<void> };
}

/** An event, and who handles it: nobody when it is somebody else's. */
export interface ReadEvent {
  readonly event: DomainEvent;
  readonly handler?: EventHandler<unknown>;
}

/**
 * Reads a message for those who handle it.
 *
 * @throws MalformedEventError when the message is not an event, its data is not what the handler needs, or it has a
 *   version that none of the handlers knows, while they know another one of its type
 */
export function readEvent(
  message: Pick<KafkaMessage, 'key' | 'value' | 'headers'>,
  handlers: EventHandlers,
): ReadEvent {
  const event = fromMessage(message);
  const handler = Object.hasOwn(handlers, event.type) ? handlers[event.type] : undefined;
  if (!handler) {
    const known = Object.keys(handlers).filter(type => nameOf(type) === nameOf(event.type));
    if (known.length === 0) return { event };
    throw new MalformedEventError(`Expected a version of ${known.join(' or ')}, but got ${event.type}`);
  }
  const data = handler.data.safeParse(event.data);
  if (data.success) return { event: { ...event, data: data.data }, handler };
  throw new MalformedEventError(
    `${event.type} ${event.id} has data that is not valid: ${z.prettifyError(data.error)}`,
  );
}

/** A type without its version. */
function nameOf(type: string): string {
  return type.replace(/\.v\d+$/, '');
}
