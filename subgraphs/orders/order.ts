import type { Prisma } from './generated/prisma/client.ts';

/** An order and its lines as the database has them. */
export type OrderRow = Pick<
  Prisma.OrderModel,
  | 'id'
  | 'customerId'
  | 'status'
  | 'currency'
  | 'totalAmount'
  | 'idempotencyKey'
  | 'inputHash'
  | 'placedAt'
  | 'cancelledAt'
> & { readonly lines: readonly OrderLine[] };

/** One product of an order, at the price it was ordered for. */
export type OrderLine = Pick<Prisma.OrderLineModel, 'sku' | 'quantity' | 'unitPriceAmount'>;

/** An order that was placed, and perhaps cancelled since: the only ones that anybody is told of. */
export type PlacedOrder = OrderRow & { readonly status: 'PLACED' | 'CANCELLED'; readonly placedAt: Date };

/** An order to be. */
export interface NewOrder {
  readonly id: string;
  readonly customerId: string;
  readonly idempotencyKey: string;
  readonly inputHash: string;
  readonly currency: string;
  readonly totalAmount: number;
  readonly lines: readonly OrderLine[];
}
