import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createGraphClient } from '../../dev/graph-client.ts';
import { logToFiles } from '../../dev/logs.ts';
import { startSystem } from '../../dev/system.ts';
import { placedOrderId } from '../helpers/shop.ts';
import { isolatedSettings, useSystem } from '../helpers/system.ts';
import { readRows } from './shop-state.ts';

const line = [{ sku: 'MUG-BLACK', quantity: 1 }];

async function ordersToldOf(urls: Parameters<typeof readRows>[0]): Promise<string[]> {
  const rows = (await readRows(urls))['notifications.notifications'] ?? [];
  return rows.map(row => (JSON.parse(row) as { order_id: string }).order_id).toSorted();
}

describe("the broker's data, lost while everything is stopped", () => {
  const shop = useSystem();

  test('costs no order and no notification: what was not published yet is published', async () => {
    const alice = await shop.client('alice');
    const { databaseUrls } = shop.system;
    const ids = [await placedOrderId(alice, line)];
    await expect.poll(() => ordersToldOf(databaseUrls), { timeout: 40_000 }).toEqual(ids);

    await shop.child('kafka').stop('SIGKILL');
    while (ids.length < 4) ids.push(await placedOrderId(alice, line));
    expect((await readRows(databaseUrls))['orders.outbox_events']).toHaveLength(3);
    expect(await ordersToldOf(databaseUrls)).toHaveLength(1);
    await shop.system.close();
    await rm(join(shop.dataDir, 'kafka'), { recursive: true });

    const system = await startSystem({
      settings: isolatedSettings(shop.dataDir),
      onLine: logToFiles(shop.dataDir),
    });
    onTestFinished(() => system.close());
    await expect.poll(() => ordersToldOf(system.databaseUrls), { timeout: 40_000 }).toEqual(ids.toSorted());
    const again = createGraphClient(system.graphUrl, await system.keys.mintToken('alice'));
    onTestFinished(() => again.close());
    ids.push(await placedOrderId(again, line));
    await expect.poll(() => ordersToldOf(system.databaseUrls), { timeout: 40_000 }).toEqual(ids.toSorted());
    expect((await readRows(system.databaseUrls))['orders.outbox_events']).toEqual([]);
  });
});

describe("the broker's data, lost while the services run", () => {
  const shop = useSystem();

  test('costs no order and no notification', async () => {
    const alice = await shop.client('alice');
    const { databaseUrls } = shop.system;
    const ids: string[] = [];
    while (ids.length < 5) ids.push(await placedOrderId(alice, line));
    await expect.poll(() => ordersToldOf(databaseUrls), { timeout: 40_000 }).toEqual(ids.toSorted());

    await shop.child('kafka').stop('SIGKILL');
    ids.push(await placedOrderId(alice, line));
    await rm(join(shop.dataDir, 'kafka'), { recursive: true });
    const startedAtMs = performance.now();
    await shop.system.start('kafka');
    await expect.poll(() => ordersToldOf(databaseUrls), { timeout: 50_000 }).toEqual(ids.toSorted());
    console.log(`told ${Math.round(performance.now() - startedAtMs)} ms after the broker was back`);
  });
});
