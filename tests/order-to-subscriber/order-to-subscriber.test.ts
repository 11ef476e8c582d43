import { describe, expect, test } from 'vitest';
import { availableOf, dataOf, feedCursorOf, placedOrderId } from '../helpers/shop.ts';
import { useSystem } from '../helpers/system.ts';

const subscription = `subscription ($after: String!) {
  notificationReceived(after: $after) {
    cursor
    message
    ... on Notification { kind readAt }
    order {
      id
      status
      total { amount currency }
      items { quantity unitPrice { amount } product { sku name price { amount } inStock } }
    }
  }
}`;

interface Received {
  readonly notificationReceived: {
    readonly cursor: string;
    readonly kind: string;
    readonly order: { readonly id: string };
  };
}

describe('an order reaches its subscriber', () => {
  const shop = useSystem({ scale: { notifications: 2 } });

  test('the notification arrives in one message with fields of all four subgraphs', async () => {
    const alice = await shop.client('alice');
    const notifications = alice.subscribe<Received>(subscription, { after: await feedCursorOf(alice) });
    const id = await placedOrderId(alice, [
      { sku: 'MUG-BLACK', quantity: 2 },
      { sku: 'TOTE-CANVAS', quantity: 1 },
    ]);

    const { value } = await notifications.next();

    expect(value).toEqual({
      data: {
        notificationReceived: {
          cursor: expect.any(String),
          kind: 'ORDER_PLACED',
          message: 'Your order of 3 pieces for EUR 48.90 was placed.',
          readAt: null,
          order: {
            id,
            status: 'PLACED',
            total: { amount: 4890, currency: 'EUR' },
            items: [
              {
                quantity: 2,
                unitPrice: { amount: 1450 },
                product: {
                  sku: 'MUG-BLACK',
                  name: 'Stoneware mug, black',
                  price: { amount: 1450 },
                  inStock: true,
                },
              },
              {
                quantity: 1,
                unitPrice: { amount: 1990 },
                product: {
                  sku: 'TOTE-CANVAS',
                  name: 'Canvas tote bag',
                  price: { amount: 1990 },
                  inStock: true,
                },
              },
            ],
          },
        },
      },
    });
  });

  test('every subscriber of a customer gets every notification in order, whichever instance serves it', async () => {
    const clients = await Promise.all(Array.from({ length: 4 }, () => shop.client('bob')));
    const [bob] = clients;
    if (!bob) throw new Error('unreachable');
    const after = await feedCursorOf(bob);
    const subscribers = clients.map(client => client.subscribe<Received>(subscription, { after }));
    const placed: string[] = [];
    for (let count = 0; count < 3; count++)
      placed.push(await placedOrderId(bob, [{ sku: 'FILTER-PAPER-100', quantity: 1 }]));

    for (const subscriber of subscribers) {
      const received: string[] = [];
      while (received.length < placed.length) {
        const { value } = await subscriber.next();
        received.push(value.data.notificationReceived.order.id);
      }
      expect(received.sort()).toEqual([...placed].sort());
    }
  });

  test("nobody hears of another customer's order", async () => {
    const [carol, dave] = [await shop.client('carol'), await shop.client('dave')];
    const after = await feedCursorOf(carol);
    const ofCarol = carol.subscribe<Received>(subscription, { after });
    await placedOrderId(dave, [{ sku: 'MUG-BLACK', quantity: 1 }]);
    const own = await placedOrderId(carol, [{ sku: 'MUG-BLACK', quantity: 1 }]);

    const { value } = await ofCarol.next();

    expect(value.data.notificationReceived.order.id).toBe(own);
  });

  test('cancelling gives the stock back and tells the customer', async () => {
    const erin = await shop.client('erin');
    const before = await availableOf(erin, 'GRINDER-HAND');
    const id = await placedOrderId(erin, [{ sku: 'GRINDER-HAND', quantity: 2 }]);
    expect(await availableOf(erin, 'GRINDER-HAND')).toBe(before - 2);
    const notifications = erin.subscribe<Received>(subscription, { after: await feedCursorOf(erin) });

    const cancelled = dataOf(
      await erin.request('mutation ($id: ID!) { cancelOrder(id: $id) { id status } }', { id }),
    );
    expect(cancelled).toEqual({ cancelOrder: { id, status: 'CANCELLED' } });
    const kinds: string[] = [];
    while (!kinds.includes('ORDER_CANCELLED')) {
      const { value } = await notifications.next();
      kinds.push(value.data.notificationReceived.kind);
    }
    await expect.poll(() => availableOf(erin, 'GRINDER-HAND'), { timeout: 10_000 }).toBe(before);
  });

  test('notifications are a Relay connection that can be read on, and marked as read', async () => {
    const frank = await shop.client('frank');
    for (let count = 0; count < 3; count++) await placedOrderId(frank, [{ sku: 'MUG-BLACK', quantity: 1 }]);
    const page = `query ($first: Int!, $after: String, $unreadOnly: Boolean) {
      notifications(first: $first, after: $after, unreadOnly: $unreadOnly) {
        edges { cursor node { id readAt } }
        pageInfo { hasNextPage endCursor }
      }
    }`;
    interface Page {
      readonly notifications: {
        readonly edges: readonly { readonly cursor: string; readonly node: { readonly id: string } }[];
        readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string };
      };
    }
    const read = async (variables: Record<string, unknown>) =>
      dataOf(await frank.request<Page>(page, variables)).notifications;
    await expect.poll(async () => (await read({ first: 10 })).edges.length, { timeout: 10_000 }).toBe(3);

    const first = await read({ first: 2 });
    expect(first.edges).toHaveLength(2);
    expect(first.pageInfo.hasNextPage).toBe(true);
    const second = await read({ first: 2, after: first.pageInfo.endCursor });
    expect(second.edges).toHaveLength(1);
    expect(second.pageInfo.hasNextPage).toBe(false);

    const id = second.edges[0]?.node.id;
    const marked = await frank.request<{ markNotificationRead: { readAt: string } }>(
      'mutation ($id: ID!) { markNotificationRead(id: $id) { readAt } }',
      { id },
    );
    expect(Date.parse(dataOf(marked).markNotificationRead.readAt)).toBeGreaterThan(0);
    expect((await read({ first: 10, unreadOnly: true })).edges).toHaveLength(2);
  });
});
