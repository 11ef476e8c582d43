import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createGraphClient } from '../../dev/graph-client.ts';
import { logToFiles } from '../../dev/logs.ts';
import { startSystem } from '../../dev/system.ts';
import { dataOf, placedOrderId } from '../helpers/shop.ts';
import { isolatedSettings, useSystem } from '../helpers/system.ts';
import type { DatabaseUrls } from './backups.ts';
import { compareStock, readRows } from './shop-state.ts';

const line = [{ sku: 'MUG-BLACK', quantity: 1 }];
/** Longest time until every order is told of, in ms. */
const told = { timeout: 50_000 };

/** Orders that customers were told of, once for each notification. */
async function ordersToldOf(urls: DatabaseUrls): Promise<string[]> {
  const rows = (await readRows(urls))['notifications.notifications'] ?? [];
  return rows.map(row => (JSON.parse(row) as { order_id: string }).order_id).toSorted();
}

async function unpublished(urls: DatabaseUrls): Promise<number> {
  return (await readRows(urls))['orders.outbox_events']?.length ?? 0;
}

describe("the broker's data, lost while everything is stopped", () => {
  const shop = useSystem();

  test('cost what was published and not handled; what was not published yet is published', async () => {
    const alice = await shop.client('alice');
    const { databaseUrls } = shop.system;
    const cancelled = await placedOrderId(alice, line);
    const ids = [cancelled];
    await expect.poll(() => ordersToldOf(databaseUrls), told).toEqual(ids);

    // Published, and handled by nobody.
    for (const name of ['inventory', 'notifications']) await shop.child(name).stop();
    dataOf(await alice.request('mutation ($id: ID!) { cancelOrder(id: $id) { id } }', { id: cancelled }));
    await expect.poll(() => unpublished(databaseUrls), told).toBe(0);
    await shop.child('kafka').stop('SIGKILL');
    for (const name of ['inventory', 'notifications']) await shop.system.start(name);

    // Not published.
    await expect
      .poll(async () => (await alice.request('{ product(sku: "MUG-BLACK") { inStock } }')).errors, told)
      .toBeUndefined();
    while (ids.length < 4) ids.push(await placedOrderId(alice, line));
    expect(await unpublished(databaseUrls)).toBe(3);
    await shop.system.close();
    await rm(join(shop.dataDir, 'kafka'), { recursive: true });

    const system = await startSystem({
      settings: isolatedSettings(shop.dataDir),
      onLine: logToFiles(shop.dataDir),
    });
    onTestFinished(() => system.close());
    await expect.poll(() => ordersToldOf(system.databaseUrls), told).toEqual(ids.toSorted());
    const again = createGraphClient(system.graphUrl, await system.keys.mintToken('alice'));
    onTestFinished(() => again.close());
    ids.push(await placedOrderId(again, line));
    await expect.poll(() => ordersToldOf(system.databaseUrls), told).toEqual(ids.toSorted());
    expect(await unpublished(system.databaseUrls)).toBe(0);
    // Nobody was told of the cancellation, and its stock is still held.
    const { placed, reserved } = await compareStock(system.databaseUrls);
    expect(placed).toEqual(ids.filter(id => id !== cancelled).toSorted());
    expect(reserved).toEqual(ids.toSorted());
  });
});

describe("the broker's data, lost while the services run and everything was handled", () => {
  const shop = useSystem();

  test('cost nothing, and the services need no restart', async () => {
    const alice = await shop.client('alice');
    const { databaseUrls } = shop.system;
    const ids: string[] = [];
    while (ids.length < 5) ids.push(await placedOrderId(alice, line));
    await expect.poll(() => ordersToldOf(databaseUrls), told).toEqual(ids.toSorted());

    await shop.child('kafka').stop('SIGKILL');
    ids.push(await placedOrderId(alice, line));
    await rm(join(shop.dataDir, 'kafka'), { recursive: true });
    const startedAtMs = performance.now();
    await shop.system.start('kafka');
    await expect.poll(() => ordersToldOf(databaseUrls), told).toEqual(ids.toSorted());
    console.log(`all was told ${Math.round(performance.now() - startedAtMs)} ms after the broker came back`);
  });
});
