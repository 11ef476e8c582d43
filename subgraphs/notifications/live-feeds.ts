import { type DatabaseConfig, listenToDatabase } from '../../platform/database.ts';
import { type Closable, closeOnce } from '../../platform/lifecycle.ts';
import type { Logger } from '../../platform/log.ts';
import { feedChannel, type NotificationRow, type NotificationStore } from './store.ts';

/** Rows read from a feed at once. */
const readSize = 100;

/** Live reading of customers' feeds. */
export interface LiveFeeds extends Closable {
  /** What follows a position in the customer's feed (by default: its end), in order, until the reader returns. */
  follow(customerId: string, afterPosition?: bigint): AsyncIterableIterator<NotificationRow>;
}

interface LiveFeedsOptions {
  readonly store: NotificationStore;
  readonly config: DatabaseConfig;
  readonly log: Logger;
}

/**
 * Follows feeds through the database: it wakes every instance of this service when a feed has grown, whichever instance
 * consumed the event, and each reader then reads on from its own position. A wake-up that was lost costs time, never a
 * notification: all readers are woken when the connection is back.
 */
export function createLiveFeeds({ store, config, log }: LiveFeedsOptions): LiveFeeds {
  const readersByCustomer = new Map<string, Set<() => void>>();
  const listener = listenToDatabase({
    config,
    channel: feedChannel,
    log,
    onNotification: customerId => wake(readersByCustomer.get(customerId)),
    onListening: () => {
      for (const readers of readersByCustomer.values()) wake(readers);
    },
  });
  let closed = false;

  function follow(customerId: string, afterPosition?: bigint): AsyncIterableIterator<NotificationRow> {
    const bell = createBell();
    let ended = false;

    async function* read(): AsyncGenerator<NotificationRow, void, undefined> {
      const readers = readersByCustomer.get(customerId) ?? new Set();
      readersByCustomer.set(customerId, readers.add(bell.ring));
      try {
        let position = afterPosition ?? (await store.lastPosition(customerId));
        while (!closed && !ended) {
          const rung = bell.next();
          const rows = await store.readFeed(customerId, position, readSize);
          for (const row of rows) {
            yield row;
            position = row.position;
          }
          if (rows.length < readSize) await rung;
        }
      } finally {
        readers.delete(bell.ring);
        if (readers.size === 0) readersByCustomer.delete(customerId);
      }
    }

    const rows = read();
    return {
      next: () => rows.next(),
      // A generator that waits for the bell can't be ended from outside; it has to be woken to end itself.
      return() {
        ended = true;
        bell.ring();
        return rows.return();
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  return {
    follow,
    close: closeOnce(async () => {
      closed = true;
      for (const readers of readersByCustomer.values()) wake(readers);
      await listener.close();
    }),
  };
}

function wake(readers: Set<() => void> | undefined): void {
  for (const ring of readers ?? []) ring();
}

/** A ring between two waits is not lost. */
function createBell() {
  let ring = () => {};
  return {
    next: () =>
      new Promise<void>(resolve => {
        ring = resolve;
      }),
    ring: () => ring(),
  };
}
