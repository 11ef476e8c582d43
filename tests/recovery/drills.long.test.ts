import { execFileSync } from 'node:child_process';
import { realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { GraphClient } from '../../dev/graph-client.ts';
import { placedOrderId, sendOrder } from '../helpers/shop.ts';
import { useSystem } from '../helpers/system.ts';
import { readRows } from './shop-state.ts';

const line = [{ sku: 'MUG-BLACK', quantity: 1 }];
const everything = `{
  products(first: 1) { edges { node { sku availableQuantity } } }
  orders(first: 1) { edges { node { id } } }
  notifications(first: 1) { edges { node { id } } }
}`;

async function codesOf(client: GraphClient): Promise<unknown[]> {
  const { errors = [] } = await client.request(everything);
  return errors.map(({ extensions }) => extensions?.['code']);
}

describe('what docs/recovery.md says is seen', () => {
  const shop = useSystem();

  async function statusOf(name: string): Promise<number> {
    return (await fetch(shop.actuator(name, 'health/readiness'))).status;
  }

  test('when the registry is lost: every answer, and the new one knows everybody', async () => {
    const alice = await shop.client('alice');
    await shop.child('discovery').stop('SIGKILL');
    expect(await codesOf(alice)).toEqual([]);
    await placedOrderId(alice, line);
    const startedAtMs = performance.now();
    await shop.system.start('discovery');
    const apps = async () => {
      const answer = await fetch(`${shop.system.registryUrl}/apps`, {
        headers: { accept: 'application/json' },
      });
      const { applications } = (await answer.json()) as { applications: { application: { name: string }[] } };
      return applications.application.map(({ name }) => name).toSorted();
    };
    await expect
      .poll(apps, { timeout: 50_000 })
      .toEqual(['GATEWAY', 'INVENTORY', 'NOTIFICATIONS', 'ORDERS', 'PRODUCTS']);
    console.log(`registry: everybody was back after ${Math.round(performance.now() - startedAtMs)} ms`);
    expect(await codesOf(alice)).toEqual([]);
  });

  test('when the gateway and its folder are lost: a new one makes its graph of what is registered', async () => {
    const alice = await shop.client('alice');
    await shop.child('gateway').stop('SIGKILL');
    await rm(join(shop.dataDir, 'gateway'), { recursive: true });
    const startedAtMs = performance.now();
    await shop.system.start('gateway');
    await expect.poll(() => codesOf(alice).catch(String), { timeout: 30_000 }).toEqual([]);
    console.log(`gateway: it served after ${Math.round(performance.now() - startedAtMs)} ms`);
    const history = await fetch(shop.actuator('gateway', 'supergraph/history'));
    expect(await history.text()).toContain('"id":1');
  });

  test('when PostgreSQL is lost and restored: errors meanwhile, and services that need no restart', async () => {
    const alice = await shop.client('alice');
    const orderId = await placedOrderId(alice, line);
    await expect
      .poll(async () => (await readRows(shop.system.databaseUrls))['notifications.notifications']?.join(), {
        timeout: 30_000,
      })
      .toContain(orderId);
    const before = await readRows(shop.system.databaseUrls);
    await shop.child('postgres').stop();
    const folder = await realpath(join(shop.dataDir, 'postgres'));
    onTestFinished(() => rm(`${folder}-copy`, { recursive: true, force: true }));
    execFileSync('cp', ['-a', folder, `${folder}-copy`]);
    await rm(folder, { recursive: true });

    expect(await codesOf(alice)).toEqual(Array(3).fill('SERVICE_UNAVAILABLE'));
    expect(await sendOrder(alice, line)).toMatchObject({
      errors: [{ extensions: { code: 'SERVICE_UNAVAILABLE' } }],
    });
    for (const name of ['products', 'inventory', 'orders', 'notifications'])
      await expect.poll(() => statusOf(name), { timeout: 20_000 }).toBe(503);
    expect(await statusOf('gateway')).toBe(200);

    execFileSync('cp', ['-a', `${folder}-copy`, folder]);
    const startedAtMs = performance.now();
    await shop.system.start('postgres');
    await expect.poll(() => codesOf(alice), { timeout: 30_000 }).toEqual([]);
    console.log(`postgres: queries were answered after ${Math.round(performance.now() - startedAtMs)} ms`);
    expect(await readRows(shop.system.databaseUrls)).toEqual(before);
    await placedOrderId(alice, line);
  });
});
