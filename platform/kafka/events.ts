import { CloudEvent, Kafka as KafkaBinding } from 'cloudevents';
import type { IHeaders, KafkaMessage } from 'kafkajs';
import { v7 as uuidv7 } from 'uuid';
import * as z from 'zod';
import { messageOf } from '../errors.ts';
import { currentTrace, readTraceContext, type TraceContext } from '../trace-context.ts';

/** Something that happened: a CloudEvent 1.0 (https://github.com/cloudevents/spec), its data as JSON. */
export interface DomainEvent<T = unknown> {
  /** Unique; a UUIDv7, so ids sort by time. Consumers are idempotent on it. */
  readonly id: string;
  /** Reverse-DNS name, past tense, with a version: `dev.portico.order.placed.v1`. */
  readonly type: string;
  /** Service that says so: `/orders`. */
  readonly source: string;
  /** Subject of the event: the order's id. Also the message key, so that events of one subject keep their order. */
  readonly subject: string;
  /** Time of the event, RFC 3339. */
  readonly time: string;
  /** The trace of the request that it happened in, by CloudEvents' extension Distributed Tracing. */
  readonly trace?: TraceContext;
  readonly data: T;
}

/** Makes an event that happens now, in the trace that the running code is part of. */
export function createEvent<T>(
  event: Pick<DomainEvent<T>, 'type' | 'source' | 'subject' | 'data'>,
): DomainEvent<T> {
  const trace = currentTrace();
  return { id: uuidv7(), time: new Date().toISOString(), ...(trace ? { trace } : {}), ...event };
}

/** A message as a producer sends it. */
export interface OutgoingMessage {
  readonly key: string;
  readonly headers: Record<string, string>;
  readonly value: string;
}

/** Writes an event by CloudEvents' Kafka binding, binary mode. */
export function toMessage({ trace, ...event }: DomainEvent): OutgoingMessage {
  const { headers } = KafkaBinding.binary(
    new CloudEvent({ ...event, ...trace, specversion: '1.0', datacontenttype: 'application/json' }),
  );
  // In binary mode the content type has a header of its own; the library writes it twice.
  const defined = Object.entries(headers as Record<string, unknown>).filter(
    ([name, value]) => value !== undefined && name !== 'ce_datacontenttype',
  );
  return {
    key: event.subject,
    // The trace is an attribute of the event, and a header for those who know Kafka but no CloudEvents.
    headers: { ...Object.fromEntries(defined.map(([name, value]) => [name, String(value)])), ...trace },
    value: JSON.stringify(event.data),
  };
}

/** A message that is not an event of the kind expected; the message says what was wrong. */
export class MalformedEventError extends Error {
  override readonly name = 'MalformedEventError';
}

const envelope = z.object({
  specversion: z.literal('1.0'),
  id: z.string().min(1).max(128),
  type: z.string().min(1).max(255),
  source: z.string().min(1),
  subject: z.string().min(1).max(255),
  time: z.iso.datetime({ offset: true }),
  traceparent: z.string().optional().catch(undefined),
  tracestate: z.string().optional().catch(undefined),
});

/** Reads a Kafka message as an event. @throws MalformedEventError */
export function fromMessage(message: Pick<KafkaMessage, 'key' | 'value' | 'headers'>): DomainEvent {
  const headers = headersAsText(message.headers ?? {});
  try {
    const event = KafkaBinding.toEvent({
      key: message.key?.toString() ?? '',
      value: message.value?.toString() ?? '',
      headers,
      body: undefined,
    } as unknown as Parameters<typeof KafkaBinding.toEvent>[0]) as CloudEvent<unknown>;
    const { specversion: _, traceparent, tracestate, ...attributes } = envelope.parse(event);
    const trace = readTraceContext({ traceparent, tracestate }) ?? readTraceContext(headers);
    return { ...attributes, ...(trace ? { trace } : {}), data: event.data };
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : messageOf(cause);
    throw new MalformedEventError(`Expected a CloudEvent in Kafka's binary mode, but got: ${reason}`, {
      cause,
    });
  }
}

/** Headers as text; kafkajs gives each as bytes. */
export function headersAsText(headers: IHeaders): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => {
      const one = Array.isArray(value) ? value[0] : value;
      return one === undefined ? [] : [[name, one.toString()]];
    }),
  );
}
