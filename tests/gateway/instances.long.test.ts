import { setTimeout as delay } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { afterAll, describe, expect, test } from 'vitest';
import { type LoadReport, loadWhile } from '../helpers/load.ts';
import { sendOrder } from '../helpers/shop.ts';
import { useSystem } from '../helpers/system.ts';

/** One query for each subgraph, which goes to it and what it needs. */
const queryBySubgraph = {
  products: '{ product(sku: "MUG-BLACK") { name } }',
  inventory: '{ product(sku: "MUG-BLACK") { inStock } }',
  orders: '{ orders(first: 1) { edges { node { id } } } }',
  notifications: '{ notifications(first: 1) { edges { node { id } } } }',
} as const;
const subgraphs = Object.keys(queryBySubgraph) as (keyof typeof queryBySubgraph)[];

/** Time that the load goes on after an instance has gone, in ms. */
const afterMs = 1_500;

describe('one of two instances of each subgraph', () => {
  const shop = useSystem({ scale: { products: 2, inventory: 2, orders: 2, notifications: 2 } });
  const agent = new Agent({ connections: 64 });
  afterAll(() => agent.close());

  async function sender(subgraph: keyof typeof queryBySubgraph): Promise<() => Promise<unknown>> {
    const token = await shop.system.keys.mintToken('alice');
    const body = JSON.stringify({ query: queryBySubgraph[subgraph] });
    return async () => {
      const response = await request(shop.system.graphUrl, {
        dispatcher: agent,
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
        body,
      });
      const answer = (await response.body.json()) as { errors?: unknown };
      return response.statusCode === 200 ? answer.errors : answer;
    };
  }

  async function startedAgain(name: string): Promise<void> {
    await shop.system.start(name);
    const app = name.split('-')[0] ?? '';
    await expect
      .poll(async () => (await registered(app)).length, { timeout: 10_000 })
      .toBeGreaterThanOrEqual(2);
  }

  async function registered(app: string): Promise<unknown[]> {
    const response = await fetch(`${shop.system.registryUrl}/apps/${app.toUpperCase()}`, {
      headers: { accept: 'application/json' },
    });
    return ((await response.json()) as { application: { instance: unknown[] } }).application.instance;
  }

  function show(what: string, { sent, ratePerSecond, p50Ms, p99Ms }: LoadReport): void {
    console.log(
      `${what}: ${sent} requests, ${Math.round(ratePerSecond)}/s, p50 ${p50Ms} ms, p99 ${p99Ms} ms`,
    );
  }

  test.each(subgraphs)('%s: SIGKILL at 200 requests a second fails no query', async subgraph => {
    const send = await sender(subgraph);
    const report = await loadWhile({ ratePerSecond: 200, send }, async () => {
      await delay(afterMs / 3);
      await shop.system.children.get(`${subgraph}-1`)?.stop('SIGKILL');
      await delay(afterMs);
    });
    show(`SIGKILL of ${subgraph}`, report);
    expect(report.failures).toEqual([]);
    expect(report.sent).toBeGreaterThan(200);
    await startedAgain(`${subgraph}-1`);
  });

  test('restarting each instance of each subgraph in turn fails no query and no order', async () => {
    const alice = await shop.client('alice');
    const admin = await shop.client('root', ['admin']);
    await admin.request('mutation { restock(sku: "FILTER-PAPER-100", quantity: 100000) { sku } }');
    const sends = await Promise.all(subgraphs.map(sender));
    let turn = 0;
    const query = () => {
      turn += 1;
      return sends[turn % sends.length]?.() ?? Promise.resolve();
    };
    const order = async () => {
      const { data, errors } = await sendOrder(alice, [{ sku: 'FILTER-PAPER-100', quantity: 1 }]);
      return data?.placeOrder.__typename === 'OrderPlaced' ? undefined : (errors ?? data);
    };
    let orders: LoadReport | undefined;
    const queries = await loadWhile({ ratePerSecond: 40, send: query }, async () => {
      orders = await loadWhile({ ratePerSecond: 3, send: order }, async () => {
        for (const subgraph of subgraphs)
          for (const name of [`${subgraph}-1`, `${subgraph}-2`]) {
            await shop.system.children.get(name)?.stop('SIGTERM');
            await startedAgain(name);
          }
      });
    });
    show('queries during a rolling restart', queries);
    if (orders) show('orders during a rolling restart', orders);
    expect(queries.failures).toEqual([]);
    expect(orders?.failures).toEqual([]);
  }, 180_000);
});
