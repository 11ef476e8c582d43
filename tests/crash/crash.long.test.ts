import { describe, expect, test } from 'vitest';
import { type System, startSystem } from '../../dev/system.ts';
import { dataOf, placedOrderId } from '../helpers/shop.ts';
import { isolatedSettings, useSystem } from '../helpers/system.ts';

const products = '{ products(first: 1) { edges { node { sku availableQuantity } } } }';
const order = 'query ($id: ID!) { order(id: $id) { id status } }';

describe('a process that is killed', () => {
  const shop = useSystem();

  test.each(['products', 'inventory', 'orders', 'notifications'])(
    '%s is served again after SIGKILL',
    async name => {
      const alice = await shop.client('alice');
      const ask = async () => {
        const { errors } = await alice.request(
          `{ products(first: 1) { edges { node { sku availableQuantity } } }
           orders(first: 1) { edges { node { id } } }
           notifications(first: 1) { edges { node { id } } } }`,
        );
        return errors?.map(({ extensions }) => extensions?.['code']);
      };
      expect(await ask()).toBeUndefined();

      await shop.system.children.get(name)?.stop('SIGKILL');
      expect(await ask()).toEqual(['SUBGRAPH_UNAVAILABLE']);

      await shop.system.start(name);
      await expect.poll(ask, { timeout: 10_000 }).toBeUndefined();
    },
  );

  test('the gateway comes back after SIGKILL with the same graph', async () => {
    await shop.system.children.get('gateway')?.stop('SIGKILL');
    const child = await shop.system.start('gateway');
    const url = `http://127.0.0.1:${child.ready.ports?.['http']}/graphql`;
    const ask = async () => {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query: products }),
      });
      return ((await response.json()) as { data?: unknown }).data;
    };
    await expect.poll(ask, { timeout: 10_000 }).toMatchObject({ products: { edges: [{}] } });
  });

  test('the graph is served while discovery is gone', async () => {
    const child = shop.system.children.get('gateway');
    const url = `http://127.0.0.1:${child?.ready.ports?.['http']}/graphql`;
    await shop.system.children.get('discovery')?.stop('SIGKILL');
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: products }),
    });
    expect(await response.json()).toMatchObject({ data: { products: { edges: [{}] } } });
  });
});

describe('a system that is stopped and started again', () => {
  const shop = useSystem();

  test('finds its data again, and every order that was acknowledged', async () => {
    const alice = await shop.client('alice');
    const ids: string[] = [];
    for (let count = 0; count < 3; count++)
      ids.push(await placedOrderId(alice, [{ sku: 'MUG-SAND', quantity: 1 }]));
    const { products: before } = dataOf(await alice.request<{ products: unknown }>(products));
    await shop.system.close();

    let again: System | undefined;
    try {
      again = await startSystem({ settings: isolatedSettings(shop.dataDir) });
      const token = await again.keys.mintToken('alice');
      const ask = async (query: string, variables = {}) => {
        const response = await fetch(again?.graphUrl ?? '', {
          method: 'POST',
          headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
          body: JSON.stringify({ query, variables }),
        });
        return (await response.json()) as { data: Record<string, unknown> };
      };
      expect((await ask(products)).data).toEqual({ products: before });
      for (const id of ids)
        expect(await ask(order, { id })).toEqual({ data: { order: { id, status: 'PLACED' } } });
      await expect
        .poll(async () => (await ask('{ notifications(first: 10) { edges { node { id } } } }')).data, {
          timeout: 10_000,
        })
        .toMatchObject({ notifications: { edges: { length: 3 } } });
    } finally {
      await again?.close();
    }
  });
});
