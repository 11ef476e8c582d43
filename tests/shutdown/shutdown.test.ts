import { describe, expect, test } from 'vitest';
import type { GraphResult } from '../../dev/graph-client.ts';
import { sendOrder } from '../helpers/shop.ts';
import { useSystem } from '../helpers/system.ts';

describe('a process that is asked to end leaves the registry, ends what it is at, and is not missed', () => {
  const shop = useSystem({ scale: { products: 2, orders: 2 } });

  async function instancesInRegistry(app: string): Promise<number> {
    const response = await fetch(`${shop.system.registryUrl}/apps/${app}`, {
      headers: { accept: 'application/json' },
    });
    if (response.status === 404) return 0;
    const { application } = (await response.json()) as { application: { instance: unknown[] } };
    return application.instance.length;
  }

  /** Asks again and again, several at once, while one instance of two ends. */
  async function askWhileEnding(name: string, ask: () => Promise<GraphResult<unknown>>) {
    let ending = true;
    const answers: GraphResult<unknown>[] = [];
    const asking = Array.from({ length: 4 }, async () => {
      while (ending) answers.push(await ask());
    });
    await expect.poll(() => answers.length, { timeout: 5_000 }).toBeGreaterThan(4);
    const before = answers.length;
    await shop.system.children.get(name)?.stop('SIGTERM');
    ending = false;
    await Promise.all(asking);
    expect(answers.length - before).toBeGreaterThan(4);
    return answers.filter(({ errors }) => errors !== undefined);
  }

  test('products: no query fails', async () => {
    const anyone = await shop.client();
    expect(await instancesInRegistry('PRODUCTS')).toBe(2);
    const ask = () => anyone.request('{ products(first: 1) { edges { node { sku } } } }');
    expect(await askWhileEnding('products-1', ask)).toEqual([]);
    expect(await instancesInRegistry('PRODUCTS')).toBe(1);
  });

  test('orders: no order fails', async () => {
    const alice = await shop.client('alice');
    const ask = () => sendOrder(alice, [{ sku: 'FILTER-PAPER-100', quantity: 1 }]);
    expect(await askWhileEnding('orders-1', ask)).toEqual([]);
    expect(await instancesInRegistry('ORDERS')).toBe(1);
  });
});
