import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startServiceDatabases } from '../../prisma/testing.ts';
import { createNotificationStore, type NewNotification, type NotificationStore } from './store.ts';

vi.setConfig({ testTimeout: 30_000, hookTimeout: 60_000 });

let databases: Awaited<ReturnType<typeof startServiceDatabases<'notifications'>>>;
let pool: pg.Pool;
let store: NotificationStore;

beforeAll(async () => {
  databases = await startServiceDatabases('notifications');
  pool = new pg.Pool({ connectionString: databases.urls.notifications, max: 20 });
  store = createNotificationStore(pool);
});
afterAll(async () => {
  await pool.end();
  await databases.close();
});

function notificationFor(customerId: string): NewNotification {
  return {
    customerId,
    kind: 'ORDER_PLACED',
    message: 'Your order was placed.',
    orderId: randomUUID(),
    eventId: randomUUID(),
    eventTime: new Date(),
  };
}

describe('a feed of notifications', () => {
  test('gets one notification of an event, however often it is delivered at the same time', async () => {
    const customer = randomUUID();
    const notification = notificationFor(customer);
    await Promise.all(Array.from({ length: 8 }, () => store.add(notification)));
    await store.add(notification);
    const feed = await store.readFeed(customer, 0n, 10);
    expect(feed.map(({ position, eventId }) => [position, eventId])).toEqual([[1n, notification.eventId]]);
    expect(await store.lastPosition(customer)).toBe(1n);
  });

  test('counts its notifications without gaps when several instances add at the same time', async () => {
    const customer = randomUUID();
    await Promise.all(Array.from({ length: 30 }, () => store.add(notificationFor(customer))));
    const feed = await store.readFeed(customer, 0n, 100);
    expect(feed.map(({ position }) => position)).toEqual(
      Array.from({ length: 30 }, (_, index) => BigInt(index + 1)),
    );
  });

  test('loses what is too old, oldest first, and goes on counting', async () => {
    const customer = randomUUID();
    for (let count = 0; count < 5; count++) await store.add(notificationFor(customer));
    expect(await store.removeBefore(new Date(Date.now() - 60_000), 10)).toBe(0);
    // The file's other customers may have some too, which are older.
    const soon = new Date(Date.now() + 1_000);
    while ((await store.readFeed(customer, 0n, 10)).length > 3)
      expect(await store.removeBefore(soon, 1)).toBe(1);
    expect((await store.readFeed(customer, 0n, 10)).map(({ position }) => position)).toEqual([3n, 4n, 5n]);
    await store.removeBefore(soon, 1_000);
    expect(await store.lastPosition(customer)).toBe(5n);
    await store.add(notificationFor(customer));
    expect((await store.readFeed(customer, 0n, 10)).map(({ position }) => position)).toEqual([6n]);
  });
});
