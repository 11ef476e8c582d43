import { PrismaPg } from '@prisma/adapter-pg';
import type { Pool } from 'pg';
import { v7 as uuidv7 } from 'uuid';
import { PorticoError } from '../../platform/errors.ts';
import { onConnection, prepare, type Queryable } from '../../platform/statement.ts';
import { type Prisma, PrismaClient } from './generated/prisma/client.ts';

/** Quantity of a sku that an order wants. */
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

/** Outcome of a reservation. */
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

const selectAvailable = prepare<{ sku: string; available: number }, [skus: readonly string[]]>(
  'SELECT sku, available FROM stock WHERE sku = ANY($1)',
);

const selectReservation = prepare<{ status: 'RESERVED' | 'RELEASED' }, [orderId: string]>(
  'SELECT status FROM reservations WHERE order_id = $1',
);

/**
 * Takes the lines, unless the order has a reservation, or one of them is short. The rows of the stock are locked in one
 * order everywhere, so that two orders never wait for each other, and only once the reservation is ours.
 *
 * A row for each line; none when the order has a reservation already.
 */
const insertReservation = prepare<
  Shortage,
  [orderId: string, skus: readonly string[], quantities: readonly number[]]
>(`
  WITH reservation AS (
    INSERT INTO reservations (order_id, status, updated_at) VALUES ($1, 'RESERVED', now())
    ON CONFLICT (order_id) DO NOTHING RETURNING order_id
  ), locked AS (
    SELECT sku, available FROM stock
    WHERE sku = ANY($2) AND EXISTS (SELECT FROM reservation) ORDER BY sku FOR UPDATE
  ), line AS (
    SELECT sku, quantity, coalesce(available, 0) AS available
    FROM unnest($2::text[], $3::int[]) AS wanted (sku, quantity) LEFT JOIN locked USING (sku)
    WHERE EXISTS (SELECT FROM reservation)
  ), taken AS (
    UPDATE stock SET available = stock.available - quantity, updated_at = now()
    FROM line WHERE stock.sku = line.sku AND NOT EXISTS (SELECT FROM line WHERE quantity > available)
  ), kept AS (
    INSERT INTO reservation_lines (order_id, sku, quantity) SELECT order_id, sku, quantity FROM reservation, line
  )
  SELECT sku, quantity AS requested, available FROM line`);

/** Makes the store of the stock: what every order needs is SQL of our own, the rest is Prisma's. */
export function createStockStore(pool: Pool): StockStore {
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool) });
  return {
    async findMany(skus) {
      const rows = await selectAvailable(pool, [skus]);
      const availableBySku = new Map(rows.map(row => [row.sku, row.available]));
      return skus.map(sku => availableBySku.get(sku) ?? null);
    },
    restock: restock => prisma.$transaction(tx => restockIn(tx, restock)),
    reserve: (orderId, lines) => onConnection(pool, connection => reserveOn(connection, orderId, lines)),
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
    `The idempotency key '${idempotencyKey}' was used for ${known.quantity} pieces of ${known.sku}; choose a new key for other pieces`,
    { details: { field: 'idempotencyKey' } },
  );
}

async function reserveOn(
  connection: Queryable,
  orderId: string,
  lines: readonly ReservationLine[],
): Promise<ReserveOutcome> {
  await connection.query('BEGIN');
  const wanted = await insertReservation(connection, [
    orderId,
    lines.map(line => line.sku),
    lines.map(line => line.quantity),
  ]);
  const shortages = wanted.filter(({ requested, available }) => requested > available);
  await connection.query(shortages.length > 0 ? 'ROLLBACK' : 'COMMIT');
  if (shortages.length > 0) return { kind: 'shortage', shortages };
  if (wanted.length > 0) return { kind: 'reserved' };
  const [known] = await selectReservation(connection, [orderId]);
  return { kind: known?.status === 'RELEASED' ? 'released' : 'reserved' };
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
