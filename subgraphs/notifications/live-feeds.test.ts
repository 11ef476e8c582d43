import { expect, onTestFinished, test, vi } from 'vitest';
import { silentLog } from '../../platform/log.ts';
import { createLiveFeeds, type FeedReader } from './live-feeds.ts';
import type { NotificationRow, NotificationStore } from './store.ts';

vi.setConfig({ testTimeout: 15_000 });

/** A store of feeds in memory, whose reads can be made to fail. */
function createStore() {
  const rows: { customerId: string; position: bigint }[] = [];
  const state = { isAway: false };
  const ofCustomer = (customerId: string) => rows.filter(row => row.customerId === customerId);
  const unlessAway = async <T>(result: () => T): Promise<T> => {
    if (state.isAway) throw new Error('the database is away');
    return result();
  };
  const last = (customerId: string) => ofCustomer(customerId).at(-1)?.position ?? 0n;
  const store = {
    add: ({ customerId }: { customerId: string }) =>
      unlessAway(() => void rows.push({ customerId, position: last(customerId) + 1n })),
    announce: () => Promise.resolve(),
    lastPosition: (customerId: string) => unlessAway(() => last(customerId)),
    lastPositions: (customerIds: readonly string[]) =>
      unlessAway(() => new Map(customerIds.map(id => [id, last(id)]))),
    readFeed: (customerId: string, after: bigint, limit: number) =>
      unlessAway(() =>
        ofCustomer(customerId)
          .filter(({ position }) => position > after)
          .slice(0, limit),
      ),
  };
  return { store: store as unknown as NotificationStore, rows, state };
}

function start() {
  const { store, rows, state } = createStore();
  const feeds = createLiveFeeds({ store, listenUrl: undefined, log: silentLog });
  onTestFinished(() => feeds.close());
  const add = (customerId: string) => feeds.add({ customerId } as never);
  return { feeds, add, rows, state };
}

async function take(reader: FeedReader, count: number): Promise<bigint[]> {
  const positions: bigint[] = [];
  while (positions.length < count) positions.push(((await reader.next()).value as NotificationRow).position);
  return positions;
}

test('a reader gets what comes after its position, in order, and nothing of others', async () => {
  const { feeds, add } = start();
  await add('alice');
  const reader = feeds.follow('alice');
  expect(await reader.startPosition).toBe(1n);
  const taken = take(reader, 2);
  await add('bob');
  await add('alice');
  await add('alice');
  expect(await taken).toEqual([2n, 3n]);
});

test('a reader from an older position gets what it missed first', async () => {
  const { feeds, add } = start();
  for (let count = 0; count < 3; count++) await add('alice');
  const reader = feeds.follow('alice', 1n);
  expect(await take(reader, 2)).toEqual([2n, 3n]);
});

test('a reader is told how many are gone before the oldest that is kept', async () => {
  const { feeds, add, rows } = start();
  for (let count = 0; count < 4; count++) await add('alice');
  rows.splice(0, 2);
  const reader = feeds.follow('alice', 0n);
  expect((await reader.next()).value).toEqual({ position: 2n, missedCount: 2 });
  expect(await take(reader, 2)).toEqual([3n, 4n]);
});

test('a reader goes on when the database is back, and finds what another instance has added', async () => {
  const { feeds, rows, state } = start();
  const reader = feeds.follow('alice');
  await reader.startPosition;
  const taken = take(reader, 1);
  state.isAway = true;
  rows.push({ customerId: 'alice', position: 1n });
  state.isAway = false;
  expect(await taken).toEqual([1n]);
});

test('a reader that returns, or whose feeds close, ends while it waits', async () => {
  const { feeds } = start();
  const [one, other] = [feeds.follow('alice'), feeds.follow('alice')];
  const waiting = [one.next(), other.next()];
  await one.return?.();
  expect(await waiting[0]).toEqual({ done: true, value: undefined });
  await feeds.close();
  expect(await waiting[1]).toEqual({ done: true, value: undefined });
});
