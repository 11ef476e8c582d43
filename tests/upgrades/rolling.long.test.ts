import { describe, expect, test } from 'vitest';
import { loadWhile } from '../helpers/load.ts';
import { availableOf, feedCursorOf, sendOrder } from '../helpers/shop.ts';
import { useSystem } from '../helpers/system.ts';

const sku = 'FILTER-PAPER-100';
/** Services in the order of docs/upgrades.md. */
const services = ['inventory', 'notifications', 'products', 'orders'] as const;
/** Longest time until the last order is told of, in ms. */
const toldWithinMs = 30_000;
const subscription = `subscription ($after: String!) {
  notificationReceived(after: $after) { __typename order { id } }
}`;

interface Received {
  readonly notificationReceived: {
    readonly __typename: string;
    readonly order: { readonly id: string } | null;
  };
}

describe('a system whose processes are replaced one by one while a customer orders', () => {
  const shop = useSystem({ scale: { products: 2, inventory: 2, orders: 2, notifications: 2 } });

  async function registered(app: string): Promise<number> {
    const response = await fetch(`${shop.system.registryUrl}/apps/${app.toUpperCase()}`, {
      headers: { accept: 'application/json' },
    });
    if (!response.ok) return 0;
    return ((await response.json()) as { application: { instance: unknown[] } }).application.instance.length;
  }

  async function replaceAll(): Promise<void> {
    for (const service of services)
      for (const name of [`${service}-1`, `${service}-2`]) {
        await shop.child(name).stop('SIGTERM');
        await shop.system.start(name);
        await expect.poll(() => registered(service), { timeout: 20_000 }).toBe(2);
      }
    await shop.child('discovery').stop('SIGTERM');
    await shop.system.start('discovery');
    for (const service of services) await expect.poll(() => registered(service), { timeout: 50_000 }).toBe(2);
  }

  test('loses no order, holds its stock, and tells the listener of each exactly once', async () => {
    const alice = await shop.client('alice');
    const admin = await shop.client('root', ['admin']);
    await admin.request(`mutation { restock(sku: "${sku}", quantity: 100000) { sku } }`);
    const available = await availableOf(alice, sku);
    const received: string[] = [];
    const after = await feedCursorOf(alice);
    const listening = (async () => {
      for await (const { data, errors } of alice.subscribe<Received>(subscription, { after }))
        received.push(data?.notificationReceived.order?.id ?? JSON.stringify(errors ?? data));
    })();

    const placed: string[] = [];
    const send = async () => {
      const { data, errors } = await sendOrder(alice, [{ sku, quantity: 1 }]);
      if (data?.placeOrder.__typename !== 'OrderPlaced') return errors ?? data;
      placed.push(data.placeOrder.order?.id ?? '');
      return undefined;
    };
    const report = await loadWhile({ ratePerSecond: 3, send }, replaceAll);
    console.log(`${report.sent} orders, p50 ${report.p50Ms} ms, p99 ${report.p99Ms} ms`);

    expect(report.failures).toEqual([]);
    await expect.poll(() => received.length, { timeout: toldWithinMs }).toBeGreaterThanOrEqual(placed.length);
    expect(received.toSorted()).toEqual(placed.toSorted());
    expect(await availableOf(alice, sku)).toBe(available - placed.length);
    await alice.close();
    await listening;
  }, 240_000);
});
