import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { runInTrace } from '../trace-context.ts';
import { createEvent, fromMessage, headersAsText, MalformedEventError, toMessage } from './events.ts';

const event = createEvent({
  type: 'dev.portico.order.placed.v1',
  source: '/orders',
  subject: 'order-1',
  data: { orderId: 'order-1', note: 'Grüße' },
});

/** A message as kafkajs gives it to a consumer. */
function received({ key, headers, value }: ReturnType<typeof toMessage>) {
  return {
    key: Buffer.from(key),
    value: Buffer.from(value),
    headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)])),
  };
}

describe('an event', () => {
  test('goes to Kafka in CloudEvents binary mode, keyed by its subject', () => {
    expect(toMessage(event)).toEqual({
      key: 'order-1',
      headers: {
        'content-type': 'application/json',
        ce_specversion: '1.0',
        ce_id: event.id,
        ce_type: event.type,
        ce_source: '/orders',
        ce_subject: 'order-1',
        ce_time: event.time,
      },
      value: '{"orderId":"order-1","note":"Grüße"}',
    });
  });

  test('comes back as it went', () => {
    expect(fromMessage(received(toMessage(event)))).toEqual(event);
  });

  test('carries the trace that it happened in, for readers of CloudEvents and for others', () => {
    const trace = {
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      tracestate: 'vendor=1',
    };
    const traced = runInTrace(trace, () => createEvent(event));
    const message = toMessage(traced);

    expect(traced.trace).toEqual(trace);
    expect(message.headers).toMatchObject({
      ...trace,
      ce_traceparent: trace.traceparent,
      ce_tracestate: trace.tracestate,
    });
    expect(fromMessage(received(message))).toEqual(traced);
    const { ce_traceparent: _, ce_tracestate: __, ...plain } = message.headers;
    expect(fromMessage(received({ ...message, headers: plain })).trace).toEqual(trace);
  });

  test('with a trace that is not valid has none', () => {
    const message = toMessage(event);
    const headers = { ...message.headers, ce_traceparent: 'hello', traceparent: 'hello' };
    expect(fromMessage(received({ ...message, headers }))).toEqual(event);
  });

  test('is also read in structured mode', () => {
    const { data, ...attributes } = event;
    const value = JSON.stringify({ specversion: '1.0', ...attributes, data });
    const headers = { 'content-type': 'application/cloudevents+json; charset=utf-8' };
    expect(fromMessage(received({ key: event.subject, headers, value }))).toEqual(event);
  });

  test('has an id that sorts by time', () => {
    const ids = Array.from({ length: 100 }, () => createEvent(event).id);
    expect([...ids].sort()).toEqual(ids);
  });
});

describe('a message that is not an event', () => {
  const good = received(toMessage(event));
  const without = (header: string) => {
    const { [header]: _, ...headers } = good.headers;
    return { ...good, headers };
  };

  test.each([
    ['no value', { ...good, value: null }, /value/i],
    ['a value that is not JSON', { ...good, value: Buffer.from('{ nope') }, /JSON/],
    ['no headers', { key: good.key, value: good.value }, /CloudEvent/],
    [
      'a version of CloudEvents that is not known',
      { ...good, headers: { ...good.headers, ce_specversion: Buffer.from('2.0') } },
      /specversion/,
    ],
    ['no id', without('ce_id'), /CloudEvent/],
    ['no type', without('ce_type'), /type/],
    ['no subject', without('ce_subject'), /subject/],
  ])('because it has %s is refused with the reason', (_case, message, reason) => {
    expect(() => fromMessage(message as typeof good)).toThrow(MalformedEventError);
    expect(() => fromMessage(message as typeof good)).toThrow(reason);
  });
});

test('of a header that comes several times the first counts', () => {
  expect(headersAsText({ a: [Buffer.from('1'), Buffer.from('2')], b: 'x', c: undefined })).toEqual({
    a: '1',
    b: 'x',
  });
});

describe('messages of anybody', () => {
  const good = received(toMessage(event));
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 40 }).map(Buffer.from),
    fc.string({ unit: 'binary' }).map(text => Buffer.from(text)),
    fc
      .constantFrom('', '1.0', '{', 'null', 'application/json', 'application/cloudevents+json', '{}', '[1]')
      .map(text => Buffer.from(text)),
  );
  const name = fc.oneof(
    fc.constantFrom(
      ...Object.keys(good.headers),
      'ce_data',
      'ce_traceparent',
      '__proto__',
      'constructor',
      'CE_ID',
    ),
    fc.string(),
  );
  const headers = fc.array(fc.tuple(name, fc.oneof(bytes, fc.array(bytes), fc.constant(undefined))), {
    maxLength: 4,
  });

  test('are events, or are refused for what is wrong with them', () => {
    const message = fc.record({
      key: fc.option(bytes),
      value: fc.oneof(fc.constant(null), bytes, fc.constant(good.value)),
      headers: headers.map(given => ({ ...good.headers, ...Object.fromEntries(given) })),
    });
    fc.assert(
      fc.property(message, each => {
        try {
          const read = fromMessage(each);
          expect(read.id.length).toBeLessThanOrEqual(128);
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedEventError);
          expect((error as Error).message.length).toBeLessThan(2_000);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('as large as a message may be say what is wrong in few words', () => {
    const large = Buffer.from('x'.repeat(1_000_000));
    for (const header of Object.keys(good.headers))
      for (const each of [
        { ...good, headers: { ...good.headers, [header]: large } },
        { ...good, value: large },
      ])
        try {
          fromMessage(each);
        } catch (error) {
          expect((error as Error).message.length).toBeLessThan(2_000);
        }
  });
});
