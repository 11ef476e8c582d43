import type { PageRequest } from '../../platform/graphql/connection.ts';
import type { DomainEvent } from '../../platform/kafka/events.ts';
import { outboxRow } from '../../platform/kafka/outbox.ts';
import { orderAbandoned, orderCancelled, orderEventsTopic, orderPlaced } from './events.ts';
import { Prisma, type PrismaClient } from './generated/prisma/client.ts';

/** An order and its lines as the database has them. */
export type OrderRow = Prisma.OrderGetPayload<{ include: { lines: true } }>;

/** An order that was placed, and perhaps cancelled since: the only ones that anybody is told of. */
export type PlacedOrder = OrderRow & { readonly status: 'PLACED' | 'CANCELLED'; readonly placedAt: Date };

/** An order to be. */
export interface NewOrder {
  readonly id: string;
  readonly customerId: string;
  readonly idempotencyKey: string;
  readonly inputHash: string;
  readonly currency: string;
  readonly lines: readonly {
    readonly sku: string;
    readonly quantity: number;
    readonly unitPriceAmount: number;
  }[];
}

interface OrderPage extends PageRequest {
  readonly status?: 'PLACED' | 'CANCELLED' | undefined;
}

/** The orders in their database. Each change and its event are one transaction. */
export interface OrderStore {
  /** The order that the customer's key stands for, of any status. */
  findByKey(customerId: string, idempotencyKey: string): Promise<OrderRow | null>;
  /** Writes an undecided order. False when the customer's key stands for another one already. */
  begin(order: NewOrder): Promise<boolean>;
  /** PENDING to PLACED. Undefined when the order was given up meanwhile; an order that is placed stays so. */
  place(id: string): Promise<PlacedOrder | undefined>;
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

/** Makes the store of the orders. */
export function createOrderStore(prisma: PrismaClient): OrderStore {
  return {
    findByKey: (customerId, idempotencyKey) =>
      prisma.order.findUnique({
        where: { customerId_idempotencyKey: { customerId, idempotencyKey } },
        include: withLines,
      }),
    begin: order => begin(prisma, order),
    place: id => prisma.$transaction(tx => place(tx, id)),
    giveUp: id => prisma.$transaction(tx => giveUp(tx, id)),
    cancel: (customerId, id) => prisma.$transaction(tx => cancel(tx, customerId, id)),
    async findMany(customerId, ids) {
      const rows = await prisma.order.findMany({
        where: { id: { in: [...ids] }, customerId, placedAt: { not: null } },
        include: withLines,
      });
      const rowsById = new Map(rows.map(row => [row.id, row as PlacedOrder]));
      return ids.map(id => rowsById.get(id) ?? null);
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

async function begin(prisma: PrismaClient, { lines, ...order }: NewOrder): Promise<boolean> {
  const totalAmount = lines.reduce((sum, line) => sum + line.quantity * line.unitPriceAmount, 0);
  try {
    await prisma.order.create({
      data: {
        ...order,
        status: 'PENDING',
        totalAmount,
        lines: { create: lines.map((line, position) => ({ ...line, position })) },
      },
    });
    return true;
  } catch (error) {
    const keyTaken = error instanceof Prisma.PrismaClientKnownRequestError && error.code === 'P2002';
    if (keyTaken) return false;
    throw error;
  }
}

async function lockOrder(tx: Transaction, id: string): Promise<OrderRow | null> {
  await tx.$queryRaw`SELECT id FROM orders WHERE id = ${id}::uuid FOR UPDATE`;
  return tx.order.findUnique({ where: { id }, include: withLines });
}

async function publish(tx: Transaction, event: DomainEvent): Promise<void> {
  await tx.outboxEvent.create({ data: outboxRow(orderEventsTopic, event) });
}

async function place(tx: Transaction, id: string): Promise<PlacedOrder | undefined> {
  const order = await lockOrder(tx, id);
  if (order?.status === 'PLACED') return order as PlacedOrder;
  if (order?.status !== 'PENDING') return undefined;
  const placedAt = new Date();
  await tx.order.update({ where: { id }, data: { status: 'PLACED', placedAt } });
  await publish(tx, orderPlaced(order, placedAt));
  return { ...order, status: 'PLACED', placedAt };
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
