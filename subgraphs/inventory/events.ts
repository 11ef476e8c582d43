import * as z from 'zod';
import { type EventHandlers, eventHandler } from '../../platform/kafka/event-handlers.ts';
import type { StockStore } from './store.ts';

/** Topic of the events that this service consumes; see docs/events.md. */
export const orderEventsTopic = 'orders.events';

const orderEnded = z.object({ orderId: z.uuid() });

/** Gives the stock of orders back that were cancelled, or given up before they were placed. */
export function createEventHandlers(store: Pick<StockStore, 'release'>): EventHandlers {
  const release = eventHandler(orderEnded, ({ data }) => store.release(data.orderId));
  return {
    'dev.portico.order.cancelled.v1': release,
    'dev.portico.order.abandoned.v1': release,
  };
}
