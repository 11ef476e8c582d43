import kafkajs from 'kafkajs';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { dataOf, placedOrderId } from '../helpers/shop.ts';
import { useSystem } from '../helpers/system.ts';
import { readRows } from './shop-state.ts';

const topic = 'orders.events';
/** Longest time until every event is handled, in ms. */
const handled = { timeout: 40_000 };

describe('consumers whose offsets are set back', () => {
  const shop = useSystem();

  /** Notifications without what is new each time that they are made. */
  async function told(): Promise<string[]> {
    const rows = (await readRows(shop.system.databaseUrls))['notifications.notifications'] ?? [];
    return rows
      .map(row => JSON.parse(row) as Record<string, string>)
      .map(({ event_id, kind, order_id, message }) => [event_id, kind, order_id, message].join(' '))
      .toSorted();
  }

  async function lag(groupId: string): Promise<number> {
    const admin = connect();
    await admin.connect();
    try {
      const ends = await admin.fetchTopicOffsets(topic);
      const [committed] = await admin.fetchOffsets({ groupId, topics: [topic] });
      return ends.reduce((sum, { partition, high }) => {
        const offset = committed?.partitions.find(each => each.partition === partition)?.offset ?? '0';
        return sum + Number(high) - Math.max(0, Number(offset));
      }, 0);
    } finally {
      await admin.disconnect();
    }
  }

  async function setBack(groupId: string): Promise<void> {
    const admin = connect();
    await admin.connect();
    await admin.resetOffsets({ groupId, topic, earliest: true });
    await admin.disconnect();
  }

  const connect = () =>
    new kafkajs.Kafka({
      brokers: shop.system.kafkaBrokers.split(','),
      logLevel: kafkajs.logLevel.NOTHING,
    }).admin();

  test('make the notifications again that a restore has lost, and change no stock', async () => {
    const alice = await shop.client('alice');
    const ids: string[] = [];
    while (ids.length < 4) ids.push(await placedOrderId(alice, [{ sku: 'MUG-BLACK', quantity: 1 }]));
    dataOf(await alice.request('mutation ($id: ID!) { cancelOrder(id: $id) { id } }', { id: ids[0] }));
    await expect.poll(async () => (await told()).length, handled).toBe(5);
    await expect.poll(() => lag('inventory'), handled).toBe(0);
    const before = {
      told: await told(),
      stock: (await readRows(shop.system.databaseUrls))['inventory.stock'],
    };

    for (const name of ['notifications', 'inventory']) await shop.child(name).stop();
    const client = new pg.Client({ connectionString: shop.system.databaseUrls.notifications });
    await client.connect();
    await client.query('DELETE FROM notifications WHERE position > 2');
    await client.query('UPDATE feeds SET last_position = 2');
    await client.end();
    for (const name of ['notifications', 'inventory']) {
      await setBack(name);
      expect(await lag(name)).toBeGreaterThanOrEqual(5);
      await shop.system.start(name);
    }

    for (const name of ['notifications', 'inventory']) await expect.poll(() => lag(name), handled).toBe(0);
    expect(await told()).toEqual(before.told);
    expect((await readRows(shop.system.databaseUrls))['inventory.stock']).toEqual(before.stock);
  });
});
