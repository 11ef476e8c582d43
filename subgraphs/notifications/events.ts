import { LRUCache } from 'lru-cache';
import * as z from 'zod';
import { type EventHandlers, eventHandler } from '../../platform/kafka/event-handlers.ts';
import type { DomainEvent } from '../../platform/kafka/events.ts';
import type { LiveFeeds } from './live-feeds.ts';

/** Topic of the events that this service consumes; see docs/events.md. */
export const orderEventsTopic = 'orders.events';

const money = z.object({ amount: z.int().min(0), currency: z.string().regex(/^[A-Z]{3}$/) });
const orderPlaced = z.object({
  orderId: z.uuid(),
  customerId: z.string().min(1).max(255),
  items: z.array(z.object({ quantity: z.int().positive() })).min(1),
  total: money,
});
const orderCancelled = z.object({ orderId: z.uuid(), customerId: z.string().min(1).max(255) });

/** Makes a notification of each event that concerns a customer. */
export function createEventHandlers(feeds: Pick<LiveFeeds, 'add'>): EventHandlers {
  return {
    'dev.portico.order.placed.v1': eventHandler(orderPlaced, async event => {
      const { orderId, items, total } = event.data;
      const pieces = items.reduce((sum, item) => sum + item.quantity, 0);
      const message = `Your order of ${pieces} ${pieces === 1 ? 'piece' : 'pieces'} for ${textOf(total)} was placed.`;
      await feeds.add({ ...commonOf(event), kind: 'ORDER_PLACED', message, orderId });
    }),
    'dev.portico.order.cancelled.v1': eventHandler(orderCancelled, async event => {
      const { orderId } = event.data;
      await feeds.add({
        ...commonOf(event),
        kind: 'ORDER_CANCELLED',
        message: 'Your order was cancelled.',
        orderId,
      });
    }),
  };
}

function commonOf({ id, time, data }: DomainEvent<{ customerId: string }>) {
  return { customerId: data.customerId, eventId: id, eventTime: new Date(time) };
}

/** An amount of money as English writes it; making one costs more than using it. */
const formatByCurrency = new LRUCache<string, Intl.NumberFormat>({ max: 100 });

function formatOf(currency: string): Intl.NumberFormat {
  const known = formatByCurrency.get(currency);
  if (known) return known;
  const format = new Intl.NumberFormat('en', { style: 'currency', currency, currencyDisplay: 'code' });
  formatByCurrency.set(currency, format);
  return format;
}

function textOf({ amount, currency }: z.infer<typeof money>): string {
  const format = formatOf(currency);
  const { maximumFractionDigits = 2 } = format.resolvedOptions();
  return format.format(amount / 10 ** maximumFractionDigits).replace(/\s/g, ' ');
}
