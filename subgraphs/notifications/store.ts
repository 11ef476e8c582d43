import { v7 as uuidv7 } from 'uuid';
import type { PageRequest } from '../../platform/graphql/connection.ts';
import type { Prisma, PrismaClient } from './generated/prisma/client.ts';

/** A notification as the database has it. */
export type NotificationRow = Prisma.NotificationModel;

/** What an event gives rise to. */
export type NewNotification = Pick<
  NotificationRow,
  'customerId' | 'kind' | 'message' | 'orderId' | 'eventId' | 'eventTime'
>;

interface NotificationPage extends PageRequest {
  readonly unreadOnly: boolean;
}

/** Channel on which the database says whose feed has grown; the payload is the customer's id. */
export const feedChannel = 'feed';

/**
 * The notifications in their database. Each customer has a feed: positions 1, 2, 3, … without gaps, which become
 * visible in their order, so that whoever reads on from a position misses nothing.
 */
export interface NotificationStore {
  /** Adds a notification to the customer's feed, once for an event. */
  add(notification: NewNotification): Promise<void>;
  /** Position of the newest notification in a feed; 0 when it is empty. */
  lastPosition(customerId: string): Promise<bigint>;
  /** What follows a position in a feed, oldest first, at most `limit`. */
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

/** Makes the store of the notifications. */
export function createNotificationStore(prisma: PrismaClient): NotificationStore {
  return {
    add: notification => prisma.$transaction(tx => addToFeed(tx, notification)),
    async lastPosition(customerId) {
      const feed = await prisma.feed.findUnique({ where: { customerId } });
      return feed?.lastPosition ?? 0n;
    },
    readFeed: (customerId, afterPosition, limit) =>
      prisma.notification.findMany({
        where: { customerId, position: { gt: afterPosition } },
        orderBy: { position: 'asc' },
        take: limit,
      }),
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

async function addToFeed(tx: Prisma.TransactionClient, notification: NewNotification): Promise<void> {
  const { customerId, kind, message, orderId, eventId, eventTime } = notification;
  await tx.$executeRaw`INSERT INTO feeds (customer_id) VALUES (${customerId}) ON CONFLICT DO NOTHING`;
  // The lock on the feed's row makes positions gapless, and visible in their order.
  const [feed] = await tx.$queryRaw<{ last_position: bigint }[]>`
    SELECT last_position FROM feeds WHERE customer_id = ${customerId} FOR UPDATE`;
  const position = (feed?.last_position ?? 0n) + 1n;
  const added = await tx.$executeRaw`
    INSERT INTO notifications (id, customer_id, position, kind, message, order_id, event_id, event_time)
    VALUES (${uuidv7()}::uuid, ${customerId}, ${position}, ${kind}::notification_kind, ${message},
      ${orderId}::uuid, ${eventId}, ${eventTime})
    ON CONFLICT (event_id, customer_id) DO NOTHING`;
  if (added === 0) return;
  await tx.$executeRaw`UPDATE feeds SET last_position = ${position} WHERE customer_id = ${customerId}`;
  await tx.$executeRaw`SELECT pg_notify(${feedChannel}, ${customerId})`;
}
