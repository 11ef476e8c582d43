import { v7 as uuidv7 } from 'uuid';
import { PorticoError } from '../../platform/errors.ts';
import type { Prisma, PrismaClient } from './generated/prisma/client.ts';

/** How much of a sku an order wants. */
export interface ReservationLine {
  readonly sku: string;
  readonly quantity: number;
}

/** A line that the stock does not suffice for. */
export interface Shortage {
  readonly sku: string;
  readonly requested: number;
  readonly available: number;
}

/** What came of a reservation. */
export type ReserveOutcome =
  | { readonly kind: 'reserved' }
  | { readonly kind: 'shortage'; readonly shortages: Shortage[] }
  /** The order was given up before; it gets no stock any more. */
  | { readonly kind: 'released' };

/** Pieces to add to the stock. */
export interface NewRestock {
  readonly sku: string;
  readonly quantity: number;
  /** Id of the admin who adds them. */
  readonly requestedBy: string;
  /** Null when the client chose none: then every request adds. */
  readonly idempotencyKey: string | null;
}

/** The stock in its database. */
export interface StockStore {
  /** Pieces available of each sku, in the skus' order; null for a sku that never had stock. */
  findMany(skus: readonly string[]): Promise<(number | null)[]>;
  /** Adds pieces, once for a key of the same admin. @throws PorticoError IDEMPOTENCY_KEY_REUSED for other pieces under it */
  restock(restock: NewRestock): Promise<void>;
  /** Takes all lines out of the stock, or none. The same order again changes nothing. */
  reserve(orderId: string, lines: readonly ReservationLine[]): Promise<ReserveOutcome>;
  /** Gives back what the order holds, and keeps it from reserving later. The same order again changes nothing. */
  release(orderId: string): Promise<void>;
}

type Transaction = Prisma.TransactionClient;

/** Makes the store of the stock. */
export function createStockStore(prisma: PrismaClient): StockStore {
  return {
    async findMany(skus) {
      const rows = await prisma.stock.findMany({ where: { sku: { in: [...skus] } } });
      const availableBySku = new Map(rows.map(row => [row.sku, row.available]));
      return skus.map(sku => availableBySku.get(sku) ?? null);
    },
    restock: restock => prisma.$transaction(tx => restockIn(tx, restock)),
    async reserve(orderId, lines) {
      try {
        return await prisma.$transaction(tx => reserveIn(tx, orderId, lines));
      } catch (error) {
        if (error instanceof ShortageError) return { kind: 'shortage', shortages: error.shortages };
        throw error;
      }
    },
    async release(orderId) {
      await prisma.$transaction(tx => releaseIn(tx, orderId));
    },
  };
}

async function restockIn(tx: Transaction, restock: NewRestock): Promise<void> {
  const { sku, quantity, requestedBy, idempotencyKey } = restock;
  const inserted = await tx.$executeRaw`
    INSERT INTO restocks (id, sku, quantity, requested_by, idempotency_key)
    VALUES (${uuidv7()}::uuid, ${sku}, ${quantity}, ${requestedBy}, ${idempotencyKey})
    ON CONFLICT (requested_by, idempotency_key) DO NOTHING`;
  if (inserted === 0) return requireSame(tx, restock);
  await tx.$executeRaw`
    INSERT INTO stock (sku, available, updated_at) VALUES (${sku}, ${quantity}, now())
    ON CONFLICT (sku) DO UPDATE SET available = stock.available + ${quantity}, updated_at = now()`;
}

async function requireSame(tx: Transaction, restock: NewRestock): Promise<void> {
  const { sku, quantity, requestedBy, idempotencyKey } = restock;
  const known = await tx.restock.findFirstOrThrow({ where: { requestedBy, idempotencyKey } });
  if (known.sku === sku && known.quantity === quantity) return;
  throw new PorticoError(
    'IDEMPOTENCY_KEY_REUSED',
    `The idempotency key '${idempotencyKey}' stands for ${known.quantity} pieces of ${known.sku}; expected a new key for other pieces`,
    { details: { field: 'idempotencyKey' } },
  );
}

/** Rolls the transaction of a reservation back. */
class ShortageError extends Error {
  readonly shortages: Shortage[];
  constructor(shortages: Shortage[]) {
    super('The stock does not suffice');
    this.shortages = shortages;
  }
}

async function reserveIn(
  tx: Transaction,
  orderId: string,
  lines: readonly ReservationLine[],
): Promise<ReserveOutcome> {
  const inserted = await tx.$executeRaw`
    INSERT INTO reservations (order_id, status, updated_at) VALUES (${orderId}::uuid, 'RESERVED', now())
    ON CONFLICT (order_id) DO NOTHING`;
  if (inserted === 0) {
    const { status } = await tx.reservation.findUniqueOrThrow({ where: { orderId } });
    return { kind: status === 'RESERVED' ? 'reserved' : 'released' };
  }
  const skus = lines.map(line => line.sku);
  // Locked in one order everywhere, so that two orders never wait for each other.
  const rows = await tx.$queryRaw<{ sku: string; available: number }[]>`
    SELECT sku, available FROM stock WHERE sku = ANY(${skus}) ORDER BY sku FOR UPDATE`;
  const availableBySku = new Map(rows.map(row => [row.sku, row.available]));
  const shortages = lines
    .map(({ sku, quantity }) => ({ sku, requested: quantity, available: availableBySku.get(sku) ?? 0 }))
    .filter(({ requested, available }) => requested > available);
  if (shortages.length > 0) throw new ShortageError(shortages);

  await tx.$executeRaw`
    UPDATE stock SET available = available - line.quantity, updated_at = now()
    FROM unnest(${skus}::text[], ${lines.map(line => line.quantity)}::int[]) AS line (sku, quantity)
    WHERE stock.sku = line.sku`;
  await tx.reservationLine.createMany({
    data: lines.map(({ sku, quantity }) => ({ orderId, sku, quantity })),
  });
  return { kind: 'reserved' };
}

async function releaseIn(tx: Transaction, orderId: string): Promise<void> {
  await tx.$executeRaw`
    INSERT INTO reservations (order_id, status, updated_at) VALUES (${orderId}::uuid, 'RELEASED', now())
    ON CONFLICT (order_id) DO NOTHING`;
  const released = await tx.$executeRaw`
    UPDATE reservations SET status = 'RELEASED', updated_at = now()
    WHERE order_id = ${orderId}::uuid AND status = 'RESERVED'`;
  if (released === 0) return;
  // The locks are taken in the order of the sku, as reserving does.
  await tx.$queryRaw`
    SELECT stock.sku FROM stock JOIN reservation_lines USING (sku)
    WHERE order_id = ${orderId}::uuid ORDER BY stock.sku FOR UPDATE OF stock`;
  await tx.$executeRaw`
    UPDATE stock SET available = available + line.quantity, updated_at = now()
    FROM reservation_lines AS line WHERE line.order_id = ${orderId}::uuid AND stock.sku = line.sku`;
}
