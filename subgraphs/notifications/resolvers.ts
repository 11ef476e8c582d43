import DataLoader from 'dataloader';
import { DateTimeResolver } from 'graphql-scalars';
import * as z from 'zod';
import { type Caller, requireCustomer } from '../../platform/caller.ts';
import { PorticoError } from '../../platform/errors.ts';
import { decodeCursor, encodeCursor, readPage, toConnection } from '../../platform/graphql/connection.ts';
import type { SubgraphOperationContext } from '../../platform/graphql/operation-context.ts';
import type { Resolvers } from './generated/graphql.ts';
import type { FeedEvent, LiveFeeds } from './live-feeds.ts';
import type { NotificationRow, NotificationStore } from './store.ts';

/** Context that the resolvers of one operation share. */
export interface OperationContext extends SubgraphOperationContext {
  readonly store: NotificationStore;
  readonly feeds: LiveFeeds;
  /** The caller's notifications; nobody else's are found. */
  readonly notificationById: DataLoader<string, NotificationRow | null>;
}

/** Makes the context of one operation. */
export function createOperationContext(
  { store, feeds }: Pick<OperationContext, 'store' | 'feeds'>,
  caller: Caller | undefined,
): OperationContext {
  const notificationById = new DataLoader<string, NotificationRow | null>(async ids => {
    if (caller?.kind !== 'customer') return ids.map(() => null);
    return store.findMany(caller.id, ids);
  });
  return { caller, store, feeds, notificationById };
}

const connection = 'notifications';
const positionPattern = /^\d{1,18}$/;
const isUuid = (id: string) => z.uuid().safeParse(id).success;

function readPosition(cursor: string): bigint {
  return BigInt(decodeCursor(connection, cursor, positionPattern));
}

function cursorOf(position: bigint): string {
  return encodeCursor(connection, String(position));
}

/** Resolvers of the notifications. */
export const resolvers: Resolvers<OperationContext> = {
  DateTime: DateTimeResolver,
  Query: {
    async notifications(_root, args, { caller, store }) {
      const customer = requireCustomer(caller);
      const page = readPage(connection, args, positionPattern);
      // Read before the page: a notification that comes in between is in both, never in neither.
      const feedEnd = await store.lastPosition(customer.id);
      const rows = await store.page(customer.id, { ...page, unreadOnly: args.unreadOnly ?? false });
      return {
        ...toConnection(connection, rows, page, row => String(row.position)),
        feedCursor: cursorOf(feedEnd),
      };
    },
  },
  Mutation: {
    async markNotificationRead(_root, { id }, { caller, store }) {
      const customer = requireCustomer(caller);
      const row = isUuid(id) ? await store.markRead(customer.id, id) : undefined;
      if (!row)
        throw new PorticoError('NOT_FOUND', `You have no notification with the id '${id.slice(0, 80)}'`);
      return row;
    },
  },
  Subscription: {
    notificationReceived: {
      subscribe(_root, { after }, context) {
        const { caller, feeds } = context;
        const customer = requireCustomer(caller);
        const reader = feeds.follow(customer.id, after == null ? undefined : readPosition(after));
        context.startCursor = reader.startPosition.then(cursorOf);
        return reader;
      },
      resolve: (event: FeedEvent) => event,
    },
  },
  NotificationEvent: {
    __resolveType: event => ('missedCount' in event ? 'NotificationsMissed' : 'Notification'),
  },
  NotificationsMissed: {
    cursor: ({ position }) => cursorOf(position),
    message: ({ missedCount }) =>
      missedCount === null
        ? 'Your notifications before this one are not kept any more.'
        : `${missedCount} of your notifications are not kept any more.`,
    order: () => null,
  },
  Notification: {
    __resolveReference: ({ id }, { notificationById }) => (isUuid(id) ? notificationById.load(id) : null),
    cursor: row => cursorOf(row.position),
    order: row => ({ id: row.orderId }),
  },
};
