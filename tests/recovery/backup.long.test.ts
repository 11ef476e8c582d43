import { execFileSync } from 'node:child_process';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createGraphClient, type GraphClient } from '../../dev/graph-client.ts';
import { logToFiles } from '../../dev/logs.ts';
import { type System, startSystem } from '../../dev/system.ts';
import { startPostgres } from '../../prisma/postgres/server.ts';
import { type ServiceName, serviceNames } from '../../services.ts';
import { dataOf, placedOrderId } from '../helpers/shop.ts';
import { isolatedSettings, useSystem } from '../helpers/system.ts';
import { type DatabaseUrls, findMethods, loseFolder } from './backups.ts';
import { compareStock, readRows } from './shop-state.ts';

const methods = await findMethods();
for (const { name, missing } of methods)
  if (missing) console.warn(`SKIPPED: no backup was made by ${name}: ${missing}.`);

const line = [{ sku: 'MUG-BLACK', quantity: 2 }];
/** Longest time until events are handled, in ms. */
const handledWithinMs = 40_000;

/** Starts a system on data that is there. */
async function startOn(dataDir: string): Promise<{ system: System; alice: GraphClient }> {
  const system = await startSystem({ settings: isolatedSettings(dataDir), onLine: logToFiles(dataDir) });
  onTestFinished(() => system.close());
  const alice = createGraphClient(system.graphUrl, await system.keys.mintToken('alice'));
  onTestFinished(() => alice.close());
  return { system, alice };
}

async function cancel(client: GraphClient, id: string): Promise<void> {
  dataOf(await client.request('mutation ($id: ID!) { cancelOrder(id: $id) { id } }', { id }));
}

/** Waits until every event is published and handled. */
async function untilHandled(urls: DatabaseUrls, notifications: number): Promise<void> {
  await expect
    .poll(
      async () => {
        const rows = await readRows(urls);
        const { placed, reserved } = await compareStock(urls);
        return {
          outbox: rows['orders.outbox_events']?.length,
          notifications: rows['notifications.notifications']?.length,
          unequal: placed.filter(id => !reserved.includes(id)).length + reserved.length - placed.length,
        };
      },
      { timeout: handledWithinMs },
    )
    .toEqual({ outbox: 0, notifications, unequal: 0 });
}

/** Places five orders and cancels one of them, all handled. @returns the orders that stand */
async function fillShop(urls: DatabaseUrls, alice: GraphClient): Promise<string[]> {
  const ids: string[] = [];
  while (ids.length < 5) ids.push(await placedOrderId(alice, line));
  await cancel(alice, ids.pop() ?? '');
  await untilHandled(urls, 6);
  return ids;
}

describe('a data folder of PostgreSQL that was copied while everything was stopped', () => {
  const shop = useSystem();

  test('brings every order, stock level and notification back, and orders go on', async () => {
    await fillShop(shop.system.databaseUrls, await shop.client('alice'));
    const before = await readRows(shop.system.databaseUrls);
    await shop.system.close();

    const folder = await realpath(join(shop.dataDir, 'postgres'));
    const copy = `${folder}-copy`;
    onTestFinished(() => rm(copy, { recursive: true, force: true }));
    // As root, the files are another account's.
    execFileSync('cp', ['-a', folder, copy]);
    await rm(folder, { recursive: true });
    execFileSync('cp', ['-a', copy, folder]);

    const { system, alice } = await startOn(shop.dataDir);
    expect(await readRows(system.databaseUrls)).toEqual(before);
    await placedOrderId(alice, line);
    await untilHandled(system.databaseUrls, 7);
  });
});

describe.each(methods)('a copy of the running databases by $name', ({ missing, backUp, restore }) => {
  if (missing) {
    test.skip('brings the shop back to the time of the copy, and orders go on', () => {});
    return;
  }
  const shop = useSystem();
  let backup = '';
  beforeAll(async () => {
    backup = await mkdtemp(join(tmpdir(), 'portico-backup-'));
  });
  afterAll(() => rm(backup, { recursive: true, force: true }));

  test('brings the shop back to the time of the copy, and orders go on', async () => {
    const alice = await shop.client('alice');
    const [first = ''] = await fillShop(shop.system.databaseUrls, alice);
    const before = await readRows(shop.system.databaseUrls);
    await backUp(shop.system.databaseUrls, backup);
    // What comes after the copy is lost.
    const lost = await placedOrderId(alice, line);
    await cancel(alice, first);
    await untilHandled(shop.system.databaseUrls, 8);
    await shop.system.close();

    const folder = join(shop.dataDir, 'postgres');
    await loseFolder(folder);
    const server = await startPostgres({ dataDir: folder, port: 0 });
    try {
      await restore(urlsAt(server.url), backup);
    } finally {
      await server.close();
    }

    const again = await startOn(shop.dataDir);
    const urls = again.system.databaseUrls;
    expect(await readRows(urls)).toEqual(before);
    const { order } = dataOf(
      await again.alice.request<{ order: unknown }>('query ($id: ID!) { order(id: $id) { id } }', {
        id: lost,
      }),
    );
    expect(order).toBeNull();
    await placedOrderId(again.alice, line);
    await cancel(again.alice, first);
    await untilHandled(urls, 8);
  });
});

function urlsAt(serverUrl: string): DatabaseUrls {
  return Object.fromEntries(serviceNames.map(name => [name, new URL(`/${name}`, serverUrl).href])) as Record<
    ServiceName,
    string
  >;
}
