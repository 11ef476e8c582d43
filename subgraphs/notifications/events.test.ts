import { describe, expect, test } from 'vitest';
import { readEvent } from '../../platform/kafka/event-handlers.ts';
import { MalformedEventError } from '../../platform/kafka/events.ts';
import { readEventSchemas, receivedMessage, unmetExpectations } from '../../platform/kafka/testing.ts';
import { createEventHandlers } from './events.ts';
import type { NewNotification } from './store.ts';

const schemas = await readEventSchemas('orders');
const added: NewNotification[] = [];
const handlers = createEventHandlers({ add: async notification => void added.push(notification) });
const exampleOf = (type: string) => schemas[type]?.examples?.[0] ?? {};
const placed = 'dev.portico.order.placed.v1';

describe('notifications reads the events of orders', () => {
  test.each(Object.keys(handlers))('of the type %s, whatever its schema allows', type => {
    expect(unmetExpectations(handlers, type, schemas[type] ?? {})).toEqual([]);
  });

  test.each(Object.keys(handlers))('of the type %s, also with fields that it does not know', type => {
    const data = {
      ...exampleOf(type),
      more: { of: 'this' },
      total: { amount: 1, currency: 'EUR', more: true },
    };
    const { event, handler } = readEvent(receivedMessage(type, data, { ce_more: '1', more: '2' }), handlers);
    expect(handler).toBe(handlers[type]);
    expect(event.data).toMatchObject({ orderId: exampleOf(type)['orderId'] });
  });

  test('and makes a notification of each', async () => {
    const { event, handler } = readEvent(receivedMessage(placed, exampleOf(placed)), handlers);
    await handler?.handle(event);
    expect(added).toEqual([
      {
        customerId: 'alice',
        kind: 'ORDER_PLACED',
        message: 'Your order of 2 pieces for EUR 29.00 was placed.',
        orderId: exampleOf(placed)['orderId'],
        eventId: event.id,
        eventTime: new Date(event.time),
      },
    ]);
  });

  test.each(Object.keys(schemas[placed]?.properties ?? {}).filter(name => name !== 'placedAt'))(
    'but not one that lacks %s',
    name => {
      const { [name]: _, ...rest } = exampleOf(placed);
      expect(() => readEvent(receivedMessage(placed, rest), handlers)).toThrow(MalformedEventError);
      expect(() => readEvent(receivedMessage(placed, rest), handlers)).toThrow(name);
    },
  );

  test.each(['dev.portico.order.placed.v2', 'dev.portico.order.placed'])(
    'but not %s, a version that it does not know, which is not skipped either',
    type => {
      expect(() => readEvent(receivedMessage(type, exampleOf(placed)), handlers)).toThrow(
        `Expected a version of ${placed}, but got ${type}`,
      );
    },
  );

  test.each(['dev.portico.order.abandoned.v1', 'org.example.placed.v1', 'toString'])(
    'and leaves %s to others',
    type => {
      expect(readEvent(receivedMessage(type, { orderId: 'x' }), handlers).handler).toBeUndefined();
    },
  );
});
