import { PrismaPg } from '@prisma/adapter-pg';
import type { DatabaseError, Pool } from 'pg';
import { v7 as uuidv7 } from 'uuid';
import type { PageRequest } from '../../platform/graphql/connection.ts';
import { prepare } from '../../platform/statement.ts';
import { type Prisma, PrismaClient } from './generated/prisma/client.ts';

/** A notification as the database has it. */
export type NotificationRow = Prisma.NotificationModel;

/** Notification that an event gives rise to. */
export type NewNotification = Pick<
  NotificationRow,
  'customerId' | 'kind' | 'message' | 'orderId' | 'eventId' | 'eventTime'
>;

interface NotificationPage extends PageRequest {
  readonly unreadOnly: boolean;
}

/** Channel on which one instance tells the others that a feed has grown. */
export const feedChannel = 'feed';

/**
 * The notifications in their database. Each customer has a feed: positions 1, 2, 3, … without gaps, which become
 * visible in their order, so that whoever reads on from a position misses nothing.
 */
export interface NotificationStore {
  /** Adds a notification to the customer's feed, once for an event. */
  add(notification: NewNotification): Promise<void>;
  /** Says something on {@link feedChannel} to whoever listens now. */
  announce(payload: string): Promise<void>;
  /** Position of the newest notification in a feed; 0 when it is empty. */
  lastPosition(customerId: string): Promise<bigint>;
  /** The same for several feeds, by customer; of those that are not empty. */
  lastPositions(customerIds: readonly string[]): Promise<Map<string, bigint>>;
  /** Reads a feed after a position, oldest first, at most `limit`. */
  readFeed(customerId: string, afterPosition: bigint, limit: number): Promise<NotificationRow[]>;
  /** A page of a feed, newest first, with one row more than asked for when there is a next page. */
  page(customerId: string, page: NotificationPage): Promise<NotificationRow[]>;
  /** Marks as read, once. Undefined when the customer has no such notification. */
  markRead(customerId: string, id: string): Promise<NotificationRow | undefined>;
  /** The customer's notification of each id, in the ids' order; null where there is none. */
  findMany(customerId: string, ids: readonly string[]): Promise<(NotificationRow | null)[]>;
  /** Removes the oldest notifications from before a time, at most `limit`. @returns how many they were */
  removeBefore(time: Date, limit: number): Promise<number>;
}

/**
 * Adds a notification at the feed's end, unless the event has one. The feed's row stays locked until the commit, so that
 * positions are gapless, and become visible in their order.
 */
const insertNotification = prepare<
  never,
  [
    id: string,
    customerId: string,
    kind: NotificationRow['kind'],
    message: string,
    orderId: string,
    eventId: string,
    eventTime: Date,
  ]
>(`
  WITH feed AS (
    INSERT INTO feeds (customer_id, last_position)
    SELECT $2::text, 1 WHERE NOT EXISTS (SELECT FROM notifications WHERE event_id = $6 AND customer_id = $2::text)
    ON CONFLICT (customer_id) DO UPDATE SET last_position = feeds.last_position + 1
    RETURNING customer_id, last_position
  )
  INSERT INTO notifications (id, customer_id, position, kind, message, order_id, event_id, event_time)
  SELECT $1, customer_id, last_position, $3, $4, $5, $6, $7 FROM feed`);

/**
 * A NOTIFY in the transaction of each notification would make their commits wait for each other: PostgreSQL holds one lock
 * of the whole database from it until the commit is on disk. This one waits for no disk.
 */
const notifyFeed = prepare<never, [payload: string]>(
  `SELECT set_config('synchronous_commit', 'off', true), pg_notify('${feedChannel}', $1)`,
);

const selectPositions = prepare<
  { readonly customerId: string; readonly lastPosition: string },
  [customerIds: readonly string[]]
>(
  'SELECT customer_id AS "customerId", last_position AS "lastPosition" FROM feeds WHERE customer_id = ANY($1)',
);

const selectFeed = prepare<
  Omit<NotificationRow, 'position'> & { readonly position: string },
  [customerId: string, afterPosition: bigint, limit: number]
>(`
  SELECT id, customer_id AS "customerId", position, kind, message, order_id AS "orderId", event_id AS "eventId",
    event_time AS "eventTime", created_at AS "createdAt", read_at AS "readAt"
  FROM notifications WHERE customer_id = $1 AND position > $2 ORDER BY position LIMIT $3`);

/** Makes the store of the notifications: what every order needs is SQL of our own, the rest is Prisma's. */
export function createNotificationStore(pool: Pool): NotificationStore {
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool) });
  return {
    async add({ customerId, kind, message, orderId, eventId, eventTime }) {
      try {
        const id = uuidv7();
        await insertNotification(pool, [id, customerId, kind, message, orderId, eventId, eventTime]);
      } catch (error) {
        // Another instance added it meanwhile.
        if ((error as DatabaseError).constraint !== 'notifications_event_id_customer_id_key') throw error;
      }
    },
    async announce(payload) {
      await notifyFeed(pool, [payload]);
    },
    async lastPosition(customerId) {
      const feed = await prisma.feed.findUnique({ where: { customerId } });
      return feed?.lastPosition ?? 0n;
    },
    async lastPositions(customerIds) {
      const rows = await selectPositions(pool, [customerIds]);
      return new Map(rows.map(({ customerId, lastPosition }) => [customerId, BigInt(lastPosition)]));
    },
    async readFeed(customerId, afterPosition, limit) {
      const rows = await selectFeed(pool, [customerId, afterPosition, limit]);
      return rows.map(row => ({ ...row, position: BigInt(row.position) }));
    },
    page: (customerId, { first, afterKey, unreadOnly }) =>
      prisma.notification.findMany({
        where: {
          customerId,
          ...(unreadOnly ? { readAt: null } : {}),
          ...(afterKey === undefined ? {} : { position: { lt: BigInt(afterKey) } }),
        },
        orderBy: { position: 'desc' },
        take: first + 1,
      }),
    async markRead(customerId, id) {
      await prisma.notification.updateMany({
        where: { id, customerId, readAt: null },
        data: { readAt: new Date() },
      });
      return (await prisma.notification.findFirst({ where: { id, customerId } })) ?? undefined;
    },
    async findMany(customerId, ids) {
      const rows = await prisma.notification.findMany({ where: { id: { in: [...ids] }, customerId } });
      const rowsById = new Map(rows.map(row => [row.id, row]));
      return ids.map(id => rowsById.get(id) ?? null);
    },
    removeBefore(time, limit) {
      // Ids begin with their time (RFC 9562, version 7), so that the primary key finds the oldest.
      const first = uuidv7({ msecs: time.getTime(), seq: 0, random: new Uint8Array(16) });
      return prisma.$executeRaw`
        DELETE FROM notifications WHERE id IN (
          SELECT id FROM notifications WHERE id < ${first}::uuid ORDER BY id LIMIT ${limit})`;
    },
  };
}
