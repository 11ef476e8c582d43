import { randomUUID } from 'node:crypto';
import { listenToDatabase } from '../../platform/database.ts';
import { messageOf } from '../../platform/errors.ts';
import { type Closable, closeOnce } from '../../platform/lifecycle.ts';
import type { Logger } from '../../platform/log.ts';
import { repeat } from '../../platform/repeat.ts';
import { Waker } from '../../platform/waker.ts';
import { feedChannel, type NewNotification, type NotificationRow, type NotificationStore } from './store.ts';

/** Rows read from a feed at once. */
const readSize = 100;
/** Time between two reads of the feeds where the database can't be listened to, in ms. */
const pollEveryMs = 250;
/** Time until a read that failed is tried again, in ms. */
const retryMs = 1_000;
/** All readers fail at once; one of them says so in this time, in ms. */
const warnAgainMs = 10_000;

/** Notifications that a reader asked for, and that are not kept any more. */
export interface MissedNotifications {
  /** Position up to which they are gone. */
  readonly position: bigint;
  /** Number of those events; null when the reader's position was never reached. */
  readonly missedCount: number | null;
}

/** Event of a feed. */
export type FeedEvent = NotificationRow | MissedNotifications;

/** Customers' feeds, to be added to and read live. */
export interface LiveFeeds extends Closable {
  /**
   * Adds a notification to the customer's feed, once for an event, and wakes its readers at every instance. Whoever was not
   * told that it succeeded adds it again.
   */
  add(notification: NewNotification): Promise<void>;
  /** Opens a feed after a position, by default after its end. */
  follow(customerId: string, afterPosition?: bigint): FeedReader;
}

/** A feed that is being read: its events in order, until the reader returns. */
export interface FeedReader extends AsyncIterableIterator<FeedEvent> {
  /** Position after which this reader began. */
  readonly startPosition: Promise<bigint>;
}

interface LiveFeedsOptions {
  readonly store: NotificationStore;
  /** Database to listen to for what other instances add; undefined where only a pooler leads to it: then it is polled. */
  readonly listenUrl: string | undefined;
  readonly log: Logger;
}

/**
 * Follows feeds: the instance that consumed an event wakes its own readers, and through the database those of all others;
 * each reader then reads on from its own position. Behind a pooler, each instance looks for itself. A wake-up that was
 * lost costs time, never a notification: all readers are woken when the connection is back.
 */
export function createLiveFeeds({ store, listenUrl, log }: LiveFeedsOptions): LiveFeeds {
  const self = randomUUID();
  const readersByCustomer = new Map<string, Set<Waker>>();
  const others = listenUrl === undefined ? poll() : listen(listenUrl);
  let closed = false;
  let warnedAtMs = Number.NEGATIVE_INFINITY;

  /** A reader outlives an outage of the database: it reads on when that is back. */
  function notRead(error: unknown): undefined {
    const now = performance.now();
    if (now - warnedAtMs < warnAgainMs) return;
    warnedAtMs = now;
    log.warn(`A feed could not be read, and will be tried again: ${messageOf(error)}`);
  }

  function listen(url: string): Closable {
    return listenToDatabase({
      url,
      channel: feedChannel,
      log,
      onNotification(payload) {
        if (!payload.startsWith(self)) wake(readersByCustomer.get(payload.slice(self.length + 1)));
      },
      onListening: () => {
        for (const readers of readersByCustomer.values()) wake(readers);
      },
    });
  }

  /** Looks again and again whether a feed that is being read has grown: one query for all of them. */
  function poll(): Closable {
    let seen = new Map<string, bigint>();
    return repeat(async () => {
      if (readersByCustomer.size === 0) return pollEveryMs;
      const positions = await store.lastPositions([...readersByCustomer.keys()]).catch(notRead);
      for (const [customerId, position] of positions ?? [])
        if (seen.get(customerId) !== position) wake(readersByCustomer.get(customerId));
      seen = positions ?? seen;
      return pollEveryMs;
    });
  }

  function follow(customerId: string, afterPosition?: bigint): FeedReader {
    const waker = new Waker();
    const startPosition =
      afterPosition === undefined ? store.lastPosition(customerId) : Promise.resolve(afterPosition);
    // Whoever does not ask for it is told by the first read.
    startPosition.catch(() => {});
    let ended = false;

    async function* read(): AsyncGenerator<FeedEvent, void, undefined> {
      const readers = readersByCustomer.get(customerId) ?? new Set();
      readersByCustomer.set(customerId, readers.add(waker));
      try {
        let position = await startPosition;
        while (!closed && !ended) {
          const events = await readOn(store, customerId, position).catch(notRead);
          for (const event of events ?? []) {
            yield event;
            position = event.position;
          }
          if (!events) await waker.sleep(retryMs * (1 + Math.random()));
          else if (events.length < readSize) await waker.sleep();
        }
      } finally {
        readers.delete(waker);
        if (readers.size === 0) readersByCustomer.delete(customerId);
      }
    }

    const events = read();
    return {
      startPosition,
      next: () => events.next(),
      // A generator that sleeps can't be ended from outside; it has to be woken to end itself.
      return() {
        ended = true;
        waker.wake();
        return events.return();
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  return {
    async add(notification) {
      const { customerId } = notification;
      await store.add(notification);
      wake(readersByCustomer.get(customerId));
      await store.announce(`${self} ${customerId}`);
    },
    follow,
    close: closeOnce(async () => {
      closed = true;
      for (const readers of readersByCustomer.values()) wake(readers);
      await others.close();
    }),
  };
}

/** Reads the events after a position, with the number of those that are missing before them. */
async function readOn(store: NotificationStore, customerId: string, position: bigint): Promise<FeedEvent[]> {
  const rows = await store.readFeed(customerId, position, readSize);
  if (rows.length > 0) return withMissed(rows, position);
  // Nothing follows: because the reader is at the end, because all that followed is gone, or because the feed was set
  // back, for example to a backup, to before what the reader has seen.
  const last = await store.lastPosition(customerId);
  if (last === position) return [];
  if (last < position) return [{ position: last, missedCount: null }];
  const since = await store.readFeed(customerId, position, readSize);
  return since.length > 0
    ? withMissed(since, position)
    : [{ position: last, missedCount: Number(last - position) }];
}

function withMissed(rows: readonly NotificationRow[], position: bigint): FeedEvent[] {
  const before = (rows[0]?.position ?? 0n) - 1n;
  const missed = before - position;
  return missed > 0n ? [{ position: before, missedCount: Number(missed) }, ...rows] : [...rows];
}

function wake(readers: Set<Waker> | undefined): void {
  for (const reader of readers ?? []) reader.wake();
}
