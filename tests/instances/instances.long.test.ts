import { createClient, type SubscribePayload } from 'graphql-ws';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { callerHeader, createCallerTokens } from '../../platform/caller.ts';
import { untilConsuming } from '../helpers/consumers.ts';
import { feedCursorOf, placedOrderId } from '../helpers/shop.ts';
import { useSystem } from '../helpers/system.ts';

const orderCount = 40;

interface Received {
  readonly notificationReceived: { readonly order: { readonly id: string } };
}

describe('two instances of each service', () => {
  const shop = useSystem({ scale: { products: 2, inventory: 2, orders: 2, notifications: 2 } });

  /** Sum of a metric's series whose labels contain the text. */
  async function metricOf(instance: string, name: string, labels = ''): Promise<number> {
    const text = await (await fetch(shop.actuator(instance, 'prometheus'))).text();
    return text
      .split('\n')
      .filter(line => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
      .filter(line => line.includes(labels))
      .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  }
  const bothOf = (service: string) => [`${service}-1`, `${service}-2`];

  /** Subscribes at one instance, as the gateway does, and collects the orders that are told of. */
  async function subscribeAt(instance: string, customer: string, after: string): Promise<string[]> {
    const port = shop.system.children.get(instance)?.ready.ports?.['http'];
    const client = createClient({ url: `ws://127.0.0.1:${port}/graphql`, webSocketImpl: WebSocket });
    onTestFinished(() => client.dispose());
    const token = await createCallerTokens(shop.system.keys.callerSecret).sign(
      { kind: 'customer', id: customer, scopes: [] },
      'notifications',
    );
    const received: string[] = [];
    const payload: SubscribePayload = {
      query: 'subscription ($after: String!) { notificationReceived(after: $after) { order { id } } }',
      variables: { after },
      extensions: { [callerHeader]: token },
    };
    void (async () => {
      for await (const { data } of client.iterate<Received>(payload))
        if (data) received.push(data.notificationReceived.order.id);
    })();
    return received;
  }

  test('share the work, and both instances of notifications tell the subscribers of both', async () => {
    await untilConsuming(shop, bothOf('notifications'));
    const alice = await shop.client('alice');
    const after = await feedCursorOf(alice);
    const subscribers = await Promise.all(
      ['notifications-1', 'notifications-2', 'notifications-1', 'notifications-2'].map(instance =>
        subscribeAt(instance, 'alice', after),
      ),
    );
    const handled = (instance: string) => metricOf(instance, 'events_consumed_total', 'outcome="handled"');
    const inventoryBefore = await Promise.all(
      bothOf('inventory').map(each =>
        metricOf(each, 'http_server_request_duration_seconds_count', '/graphql'),
      ),
    );

    const placed: string[] = [];
    while (placed.length < orderCount)
      placed.push(await placedOrderId(alice, [{ sku: 'FILTER-PAPER-100', quantity: 1 }]));

    for (const received of subscribers) {
      await expect.poll(() => received.toSorted(), { timeout: 20_000 }).toEqual(placed.toSorted());
      // Orders of different partitions may change places, but in the same way for everybody.
      expect(received).toEqual(subscribers[0]);
    }
    for (const orders of bothOf('orders'))
      expect(await metricOf(orders, 'circuitbreaker_calls_total', 'name="inventory"')).toBeGreaterThan(5);
    for (const [index, inventory] of bothOf('inventory').entries())
      expect(
        (await metricOf(inventory, 'http_server_request_duration_seconds_count', '/graphql')) -
          (inventoryBefore[index] ?? 0),
      ).toBeGreaterThan(5);
    // What an instance has done is told before it is counted.
    const countAll = async (service: string, count: (instance: string) => Promise<number>) =>
      (await Promise.all(bothOf(service).map(count))).reduce((sum, each) => sum + each);
    const published = (instance: string) => metricOf(instance, 'outbox_events_published_total');
    await expect.poll(() => countAll('orders', published), { timeout: 20_000 }).toBe(orderCount);
    await expect.poll(() => countAll('notifications', handled), { timeout: 20_000 }).toBe(orderCount);
    for (const instance of bothOf('notifications')) expect(await handled(instance)).toBeGreaterThan(0);
  });
});
