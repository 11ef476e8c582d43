import { PrismaPg } from '@prisma/adapter-pg';
import type { Pool } from 'pg';
import type { PageRequest } from '../../platform/graphql/connection.ts';
import type { DomainEvent } from '../../platform/kafka/events.ts';
import { outboxRow } from '../../platform/kafka/outbox.ts';
import { prepare } from '../../platform/statement.ts';
import { orderAbandoned, orderCancelled, orderEventsTopic, orderPlaced } from './events.ts';
import { type Prisma, PrismaClient } from './generated/prisma/client.ts';
import type { NewOrder, OrderRow, PlacedOrder } from './order.ts';

interface OrderPage extends PageRequest {
  readonly status?: 'PLACED' | 'CANCELLED' | undefined;
}

/** The orders in their database. Each change and its event are one transaction. */
export interface OrderStore {
  /** The order that the customer's key stands for, of any status. */
  findByKey(customerId: string, idempotencyKey: string): Promise<OrderRow | null>;
  /** Writes an undecided order. Undefined when the customer's key stands for another one already. */
  begin(order: NewOrder): Promise<OrderRow | undefined>;
  /** PENDING to PLACED. Undefined when the order was given up meanwhile; an order that is placed stays so. */
  place(order: OrderRow): Promise<PlacedOrder | undefined>;
  /**
   * Gives an undecided order up, and frees its key; what it may have reserved is given back by an event. An order that
   * was placed meanwhile stays so, and is returned.
   */
  giveUp(id: string): Promise<PlacedOrder | undefined>;
  /** PLACED to CANCELLED. Undefined when the customer has no such order; a cancelled one stays so. */
  cancel(customerId: string, id: string): Promise<PlacedOrder | undefined>;
  /** The customer's order of each id, in the ids' order; null where there is none. */
  findMany(customerId: string, ids: readonly string[]): Promise<(PlacedOrder | null)[]>;
  /** A page of the customer's orders, newest first, with one row more than asked for when there is a next page. */
  page(customerId: string, page: OrderPage): Promise<PlacedOrder[]>;
  /** Ids of orders that are undecided since before the given time, oldest first, at most `limit`. */
  findUndecided(before: Date, limit: number): Promise<string[]>;
}

type Transaction = Prisma.TransactionClient;

const withLines = { lines: { orderBy: { position: 'asc' } } } as const;

const selectOrder = `
  SELECT id, customer_id AS "customerId", status, currency, total_amount AS "totalAmount",
    idempotency_key AS "idempotencyKey", input_hash AS "inputHash", placed_at AS "placedAt", cancelled_at AS "cancelledAt",
    (SELECT json_agg(json_build_object('sku', sku, 'quantity', quantity, 'unitPriceAmount', unit_price_amount)
       ORDER BY position) FROM order_lines WHERE order_id = orders.id) AS lines
  FROM orders`;

const selectByKey = prepare<OrderRow, [customerId: string, idempotencyKey: string]>(
  `${selectOrder} WHERE customer_id = $1 AND idempotency_key = $2`,
);

/** By nothing but the primary key: without statistics, PostgreSQL would rather read all orders of a customer. */
const selectByIds = prepare<OrderRow, [ids: readonly string[]]>(`${selectOrder} WHERE id = ANY($1::uuid[])`);

const insertUndecided = prepare<
  { id: string },
  [
    id: string,
    customerId: string,
    idempotencyKey: string,
    inputHash: string,
    currency: string,
    totalAmount: number,
    skus: readonly string[],
    quantities: readonly number[],
    unitPriceAmounts: readonly number[],
  ]
>(`
  WITH begun AS (
    INSERT INTO orders (id, customer_id, status, idempotency_key, input_hash, currency, total_amount)
    VALUES ($1, $2, 'PENDING', $3, $4, $5, $6)
    ON CONFLICT (customer_id, idempotency_key) DO NOTHING RETURNING id
  )
  INSERT INTO order_lines (order_id, position, sku, quantity, unit_price_amount)
  SELECT begun.id, position - 1, sku, quantity, unit_price_amount
  FROM begun, unnest($7::text[], $8::int[], $9::int[]) WITH ORDINALITY
    AS line (sku, quantity, unit_price_amount, position)
  RETURNING order_id AS id`);

const placeUndecided = prepare<
  { id: string },
  [
    id: string,
    placedAt: Date,
    eventId: string,
    topic: string,
    key: string,
    headers: Readonly<Record<string, string>>,
    value: string,
  ]
>(`
  WITH placed AS (
    UPDATE orders SET status = 'PLACED', placed_at = $2, updated_at = now()
    WHERE id = $1 AND status = 'PENDING' RETURNING id
  )
  INSERT INTO outbox_events (id, topic, key, headers, value) SELECT $3, $4, $5, $6, $7 FROM placed RETURNING id`);

interface OrderStoreOptions {
  readonly pool: Pool;
  /** Called when a change that has an event was tried: whether it was committed, only the database may know. */
  readonly onChange: () => void;
}

/** Makes the store of the orders: what every order needs is SQL of our own, the rest is Prisma's. */
export function createOrderStore({ pool, onChange }: OrderStoreOptions): OrderStore {
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool) });
  return {
    findByKey: async (customerId, idempotencyKey) =>
      (await selectByKey(pool, [customerId, idempotencyKey]))[0] ?? null,
    begin: order => begin(pool, order),
    place: order => place(pool, order).finally(onChange),
    giveUp: id => prisma.$transaction(tx => giveUp(tx, id)).finally(onChange),
    cancel: (customerId, id) => prisma.$transaction(tx => cancel(tx, customerId, id)).finally(onChange),
    async findMany(customerId, ids) {
      const rows = await selectByIds(pool, [ids]);
      const theirs = rows.filter(row => row.customerId === customerId && row.placedAt) as PlacedOrder[];
      const theirsById = new Map(theirs.map(row => [row.id, row]));
      return ids.map(id => theirsById.get(id) ?? null);
    },
    page: (customerId, page) => findPage(prisma, customerId, page),
    async findUndecided(before, limit) {
      const rows = await prisma.order.findMany({
        where: { status: 'PENDING', createdAt: { lt: before } },
        select: { id: true },
        orderBy: { createdAt: 'asc' },
        take: limit,
      });
      return rows.map(row => row.id);
    },
  };
}

async function begin(pool: Pool, order: NewOrder): Promise<OrderRow | undefined> {
  const { id, customerId, idempotencyKey, inputHash, currency, totalAmount, lines } = order;
  const inserted = await insertUndecided(pool, [
    id,
    customerId,
    idempotencyKey,
    inputHash,
    currency,
    totalAmount,
    lines.map(line => line.sku),
    lines.map(line => line.quantity),
    lines.map(line => line.unitPriceAmount),
  ]);
  if (inserted.length === 0) return undefined;
  return { ...order, status: 'PENDING', placedAt: null, cancelledAt: null };
}

async function place(pool: Pool, order: OrderRow): Promise<PlacedOrder | undefined> {
  const placedAt = new Date();
  const { id, topic, key, headers, value } = outboxRow(orderEventsTopic, orderPlaced(order, placedAt));
  const placed = await placeUndecided(pool, [order.id, placedAt, id, topic, key, headers, value]);
  if (placed.length > 0) return { ...order, status: 'PLACED', placedAt };
  const [decided] = await selectByIds(pool, [[order.id]]);
  return decided?.placedAt ? (decided as PlacedOrder) : undefined;
}

async function lockOrder(tx: Transaction, id: string): Promise<OrderRow | null> {
  await tx.$queryRaw`SELECT id FROM orders WHERE id = ${id}::uuid FOR UPDATE`;
  return tx.order.findUnique({ where: { id }, include: withLines });
}

async function publish(tx: Transaction, event: DomainEvent): Promise<void> {
  await tx.outboxEvent.create({ data: outboxRow(orderEventsTopic, event) });
}

async function giveUp(tx: Transaction, id: string): Promise<PlacedOrder | undefined> {
  const order = await lockOrder(tx, id);
  if (order?.status !== 'PENDING') return order?.placedAt ? (order as PlacedOrder) : undefined;
  await tx.order.update({
    where: { id },
    data: { status: 'CANCELLED', idempotencyKey: null, cancelledAt: new Date() },
  });
  await publish(tx, orderAbandoned(order));
  return undefined;
}

async function cancel(tx: Transaction, customerId: string, id: string): Promise<PlacedOrder | undefined> {
  const order = await lockOrder(tx, id);
  if (order?.customerId !== customerId || !order.placedAt) return undefined;
  if (order.status === 'CANCELLED') return order as PlacedOrder;
  const cancelledAt = new Date();
  await tx.order.update({ where: { id }, data: { status: 'CANCELLED', cancelledAt } });
  await publish(tx, orderCancelled(order, cancelledAt));
  return { ...order, status: 'CANCELLED', cancelledAt } as PlacedOrder;
}

async function findPage(
  prisma: PrismaClient,
  customerId: string,
  { first, afterKey, status }: OrderPage,
): Promise<PlacedOrder[]> {
  const rows = await prisma.order.findMany({
    where: {
      customerId,
      placedAt: { not: null },
      ...(status ? { status } : {}),
      ...(afterKey === undefined ? {} : { id: { lt: afterKey } }),
    },
    orderBy: { id: 'desc' },
    take: first + 1,
    include: withLines,
  });
  return rows as PlacedOrder[];
}
