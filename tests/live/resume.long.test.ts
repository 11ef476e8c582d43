import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { createClient } from 'graphql-ws';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { GraphClient } from '../../dev/graph-client.ts';
import { feedCursorOf, placedOrderId, sendOrder } from '../helpers/shop.ts';
import { useSystem } from '../helpers/system.ts';

const notifications = `subscription ($after: String) {
  notificationReceived(after: $after) { __typename cursor message order { id items { product { name } } } }
}`;

interface Notified {
  readonly notificationReceived: {
    readonly __typename: string;
    readonly cursor: string;
    readonly message: string;
    readonly order: { readonly id: string; readonly items: readonly { product: { name: string } }[] } | null;
  };
}

describe('a client that goes on after its last cursor', () => {
  const shop = useSystem({ scale: { notifications: 2 } });

  /** Subscribes with graphql-ws as it is, which connects again by itself with the variables as they are then. */
  async function listen(customer: string, after: string) {
    const token = await shop.system.keys.mintToken(customer);
    const connections: string[] = [];
    const client = createClient({
      url: shop.system.graphUrl.replace('http', 'ws'),
      webSocketImpl: WebSocket,
      connectionParams: { authorization: `Bearer ${token}` },
      retryAttempts: Number.POSITIVE_INFINITY,
      retryWait: () => delay(100),
      shouldRetry: () => true,
      on: { connected: () => void connections.push('connected') },
    });
    const variables = { after };
    const received: Notified['notificationReceived'][] = [];
    const errors: unknown[] = [];
    client.subscribe<Notified>(
      { query: notifications, variables },
      {
        next({ data, errors: failed = [] }) {
          errors.push(...failed);
          if (!data) return;
          received.push(data.notificationReceived);
          variables.after = data.notificationReceived.cursor;
        },
        error: error => void errors.push(error),
        complete() {},
      },
    );
    return { received, errors, connections, close: () => client.dispose() };
  }

  /** Places orders one after another until told to stop; each is sent again, under its key, until it is answered. */
  function keepOrdering(client: GraphClient) {
    const placed: string[] = [];
    let isStopped = false;
    let ordering = Promise.resolve();
    const order = async () => {
      while (!isStopped) {
        const key = randomUUID();
        for (let id: string | undefined; id === undefined; ) {
          const answer = await sendOrder(client, [{ sku: 'FILTER-PAPER-100', quantity: 1 }], key).catch(
            () => undefined,
          );
          id = answer?.data?.placeOrder.order?.id;
          if (id === undefined) await delay(100);
          else placed.push(id);
        }
        await delay(50);
      }
    };
    const start = () => {
      isStopped = false;
      ordering = order();
    };
    start();
    return {
      placed,
      start,
      async stop() {
        isStopped = true;
        await ordering;
      },
    };
  }

  test.each([
    // Its client does not notice that another instance goes on.
    { name: 'notifications-1', connections: 1 },
    { name: 'notifications-2', connections: 1 },
    { name: 'kafka', connections: 1 },
    { name: 'postgres', connections: 1 },
    // Its client connects again by itself.
    { name: 'gateway', connections: 2 },
  ])('gets every event once when $name is killed', async ({ name, connections }) => {
    const alice = await shop.client('alice');
    const listener = await listen('alice', await feedCursorOf(alice));
    const orders = keepOrdering(alice);
    const placedMore = async (count: number) => {
      const enough = orders.placed.length + count;
      await expect.poll(() => orders.placed.length, { timeout: 20_000 }).toBeGreaterThan(enough);
    };
    await placedMore(5);
    if (name === 'postgres') {
      // An event that is completed while the databases are away has no order, and an error instead: none may be under way.
      await orders.stop();
      await expect
        .poll(() => listener.received.length, { timeout: 20_000 })
        .toBeGreaterThanOrEqual(orders.placed.length);
    }
    // Of PostgreSQL this is the process that watches the server; it is told to end it.
    await shop.child(name).stop(name === 'postgres' ? 'SIGTERM' : 'SIGKILL');
    if (name === 'postgres') orders.start();
    else if (name !== 'gateway') await placedMore(5);
    await shop.system.start(name);
    await placedMore(5);
    await orders.stop();
    // A killed consumer keeps its partitions until its session times out.
    await expect
      .poll(() => listener.received.length, { timeout: 30_000 })
      .toBeGreaterThanOrEqual(orders.placed.length);

    // The events of one order are in order; those of several orders need not be.
    const received = listener.received.map(({ order }) => order?.id);
    expect(received).toHaveLength(orders.placed.length);
    expect(new Set(received)).toEqual(new Set(orders.placed));
    expect(listener.received.every(({ order }) => order?.items[0]?.product.name)).toBe(true);
    expect(listener.connections).toHaveLength(connections);
    expect(listener.errors).toEqual([]);
    await listener.close();
  });

  // One of the two has the subscription.
  test.each(['notifications-1', 'notifications-2'])(
    'gets every event once while %s is frozen, and does not notice',
    async name => {
      const dora = await shop.client('dora');
      const listener = await listen('dora', await feedCursorOf(dora));
      const place = () => placedOrderId(dora, [{ sku: 'COFFEE-HOUSE-250', quantity: 1 }]);
      const received = () => listener.received.map(({ order }) => order?.id);
      const before = await place();
      await expect.poll(received, { timeout: 20_000 }).toEqual([before]);
      const { pid } = shop.child(name);
      process.kill(pid, 'SIGSTOP');
      try {
        const during = await place();
        // Its part of the events is consumed by the other one when its session has timed out.
        await expect.poll(received, { timeout: 40_000 }).toEqual([before, during]);
      } finally {
        process.kill(pid, 'SIGCONT');
      }
      expect(listener.connections).toHaveLength(1);
      expect(listener.errors).toEqual([]);
      await listener.close();
    },
  );

  test('is told by an event when its cursor is older than what is kept', async () => {
    const bob = await shop.client('bob');
    const after = await feedCursorOf(bob);
    for (let count = 0; count < 4; count++)
      await placedOrderId(bob, [{ sku: 'FILTER-PAPER-100', quantity: 1 }]);
    const first = await listen('bob', after);
    await expect.poll(() => first.received.length, { timeout: 10_000 }).toBe(4);
    await first.close();
    const database = new pg.Client(shop.system.databaseUrls.notifications);
    await database.connect();
    await database.query(`DELETE FROM notifications WHERE customer_id = 'bob' AND position <= 3`);
    await database.end();

    const second = await listen('bob', after);
    await expect.poll(() => second.received.length, { timeout: 10_000 }).toBe(2);
    expect(second.received[0]).toMatchObject({
      __typename: 'NotificationsMissed',
      cursor: first.received[2]?.cursor,
      message: '3 of your notifications are not kept any more.',
    });
    expect(second.received[1]).toEqual(first.received[3]);
    await second.close();
  });
});
