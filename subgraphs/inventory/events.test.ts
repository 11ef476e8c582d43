import { describe, expect, test } from 'vitest';
import { readEvent } from '../../platform/kafka/event-handlers.ts';
import { readEventSchemas, receivedMessage, unmetExpectations } from '../../platform/kafka/testing.ts';
import { createEventHandlers } from './events.ts';

const schemas = await readEventSchemas('orders');
const released: string[] = [];
const handlers = createEventHandlers({ release: async orderId => void released.push(orderId) });

describe('inventory reads the events of orders', () => {
  test.each(Object.keys(handlers))('of the type %s, whatever its schema allows', type => {
    expect(unmetExpectations(handlers, type, schemas[type] ?? {})).toEqual([]);
  });

  test.each(Object.keys(handlers))('and gives the stock of %s back, whatever else it says', async type => {
    const data = { ...schemas[type]?.examples?.[0], more: 1 };
    const { event, handler } = readEvent(receivedMessage(type, data), handlers);
    await handler?.handle(event);
    expect(released.pop()).toBe(schemas[type]?.examples?.[0]?.['orderId']);
  });

  test('but not a version that it does not know', () => {
    const message = receivedMessage('dev.portico.order.cancelled.v2', { orderId: 'x' });
    expect(() => readEvent(message, handlers)).toThrow(/Expected a version of .*cancelled\.v1, but got .*v2/);
  });

  test('and leaves orders that are placed to others', () => {
    expect(readEvent(receivedMessage('dev.portico.order.placed.v1', {}), handlers).handler).toBeUndefined();
  });
});
