import { createEvent, type DomainEvent } from '../../platform/kafka/events.ts';
import type { OrderRow } from './store.ts';

/** Topic of this service's events; docs/events.md is their specification. */
export const orderEventsTopic = 'orders.events';

const source = '/orders';

interface OrderPlacedData {
  readonly orderId: string;
  readonly customerId: string;
  readonly items: { readonly sku: string; readonly quantity: number; readonly unitPrice: MoneyData }[];
  readonly total: MoneyData;
  readonly placedAt: string;
}

interface MoneyData {
  /** In the currency's minor unit. */
  readonly amount: number;
  readonly currency: string;
}

/** The order was placed: its stock is reserved and its prices are fixed. */
export function orderPlaced(order: OrderRow, placedAt: Date): DomainEvent<OrderPlacedData> {
  const { id, customerId, currency, totalAmount, lines } = order;
  return createEvent({
    type: 'dev.portico.order.placed.v1',
    source,
    subject: id,
    data: {
      orderId: id,
      customerId,
      items: lines.map(({ sku, quantity, unitPriceAmount }) => ({
        sku,
        quantity,
        unitPrice: { amount: unitPriceAmount, currency },
      })),
      total: { amount: totalAmount, currency },
      placedAt: placedAt.toISOString(),
    },
  });
}

/** The customer cancelled an order that was placed. */
export function orderCancelled({ id, customerId }: OrderRow, cancelledAt: Date): DomainEvent {
  return createEvent({
    type: 'dev.portico.order.cancelled.v1',
    source,
    subject: id,
    data: { orderId: id, customerId, cancelledAt: cancelledAt.toISOString() },
  });
}

/** The order was given up before it was placed; whatever it reserved is free. Nobody was told of the order. */
export function orderAbandoned({ id }: Pick<OrderRow, 'id'>): DomainEvent {
  return createEvent({
    type: 'dev.portico.order.abandoned.v1',
    source,
    subject: id,
    data: { orderId: id },
  });
}
