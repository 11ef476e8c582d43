import * as z from 'zod';
import { createEvent, type DomainEvent } from '../../platform/kafka/events.ts';
import type { OrderRow } from './order.ts';

/** Topic of this service's events; docs/events.md is their specification. */
export const orderEventsTopic = 'orders.events';

const source = '/orders';

const orderId = z
  .uuid()
  .describe('Id of the order; also the subject of the event and the key of the message.');
const customerId = z.string().min(1).max(255).describe('Who ordered: the `sub` of their token.');
const moment = z.iso.datetime().describe('RFC 3339, in UTC.');
const money = z.object({
  amount: z.int().min(0).describe("In the currency's minor unit."),
  currency: z
    .string()
    .regex(/^[A-Z]{3}$/)
    .describe('ISO 4217.'),
});
const item = z.object({
  sku: z.string().min(1).max(64),
  quantity: z.int().positive(),
  unitPrice: money,
});

const exampleOrderId = '0190a0b0-0000-7000-8000-000000000000';

/**
 * The data of each event, by its type. From here come the JSON Schemas in `events/`, which are the contract with those
 * who read the events.
 */
export const orderEventData = {
  'dev.portico.order.placed.v1': z
    .object({ orderId, customerId, items: z.array(item).min(1), total: money, placedAt: moment })
    .meta({
      description: 'The order was placed: its stock is reserved and its prices are fixed.',
      examples: [
        {
          orderId: exampleOrderId,
          customerId: 'alice',
          items: [{ sku: 'MUG-BLACK', quantity: 2, unitPrice: { amount: 1450, currency: 'EUR' } }],
          total: { amount: 2900, currency: 'EUR' },
          placedAt: '2026-01-01T12:00:00.000Z',
        },
      ],
    }),
  'dev.portico.order.cancelled.v1': z.object({ orderId, customerId, cancelledAt: moment }).meta({
    description: 'The customer cancelled an order that was placed.',
    examples: [{ orderId: exampleOrderId, customerId: 'alice', cancelledAt: '2026-01-01T12:00:00.000Z' }],
  }),
  'dev.portico.order.abandoned.v1': z.object({ orderId }).meta({
    description:
      'The order was given up before it was placed; whatever it reserved is free. Nobody was told of the order.',
    examples: [{ orderId: exampleOrderId }],
  }),
} as const;

type OrderEventData = typeof orderEventData;

function createOrderEvent<T extends keyof OrderEventData>(
  type: T,
  data: z.infer<OrderEventData[T]>,
): DomainEvent<z.infer<OrderEventData[T]>> {
  return createEvent({ type, source, subject: data.orderId, data });
}

/** The order was placed: its stock is reserved and its prices are fixed. */
export function orderPlaced(order: OrderRow, placedAt: Date) {
  const { id, customerId, currency, totalAmount, lines } = order;
  return createOrderEvent('dev.portico.order.placed.v1', {
    orderId: id,
    customerId,
    items: lines.map(({ sku, quantity, unitPriceAmount }) => ({
      sku,
      quantity,
      unitPrice: { amount: unitPriceAmount, currency },
    })),
    total: { amount: totalAmount, currency },
    placedAt: placedAt.toISOString(),
  });
}

/** The customer cancelled an order that was placed. */
export function orderCancelled({ id, customerId }: OrderRow, cancelledAt: Date) {
  return createOrderEvent('dev.portico.order.cancelled.v1', {
    orderId: id,
    customerId,
    cancelledAt: cancelledAt.toISOString(),
  });
}

/** The order was given up before it was placed; whatever it reserved is free. Nobody was told of the order. */
export function orderAbandoned({ id }: Pick<OrderRow, 'id'>) {
  return createOrderEvent('dev.portico.order.abandoned.v1', { orderId: id });
}
