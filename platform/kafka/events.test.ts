import { describe, expect, test } from 'vitest';
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
