import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import type { GraphClient } from '../../dev/graph-client.ts';
import { dataOf, placeOrder } from '../helpers/shop.ts';
import { useSystem } from '../helpers/system.ts';

const openMs = 1_500;
const slowCallMs = 700;
const ordersQuery = '{ orders(first: 100) { edges { node { id } } } }';
const line = { sku: 'MUG-BLACK', quantity: 1 };

describe('orders call inventory behind a circuit breaker', () => {
  const shop = useSystem({
    env: {
      INVENTORY_BREAKER_OPEN_MS: String(openMs),
      INVENTORY_BREAKER_SLOW_CALL_MS: String(slowCallMs),
      // A test that calls slowly has to reach the rate beside the fast calls of the tests before it.
      INVENTORY_BREAKER_SLOW_CALL_RATE_PERCENT: '25',
    },
  });

  async function breakerState(): Promise<string> {
    const response = await fetch(shop.actuator('orders', 'health'));
    const health = (await response.json()) as {
      components: { circuitBreakers: { details: { inventory: { state: string } } } };
    };
    return health.components.circuitBreakers.details.inventory.state;
  }

  /** Orders until the breaker lets calls through again. */
  async function untilClosed(client: GraphClient): Promise<void> {
    await expect
      .poll(async () => (await placeOrder(client, [line])).__typename, { timeout: 15_000 })
      .toBe('OrderPlaced');
    expect(await breakerState()).toBe('CLOSED');
  }

  test('it opens when calls fail, answers at once while open, lets one call try, and closes when that succeeds', async () => {
    const alice = await shop.client('alice');
    expect(await placeOrder(alice, [line])).toMatchObject({ __typename: 'OrderPlaced' });
    expect(await breakerState()).toBe('CLOSED');

    await shop.system.children.get('inventory')?.stop('SIGKILL');
    let failures = 0;
    while ((await breakerState()) !== 'OPEN') {
      expect(await placeOrder(alice, [line])).toMatchObject({ __typename: 'InventoryUnavailable' });
      failures += 1;
      expect(failures).toBeLessThanOrEqual(10);
    }
    expect(failures).toBeGreaterThanOrEqual(4);

    const startedAt = performance.now();
    const refused = await placeOrder(alice, [line]);
    const tookMs = performance.now() - startedAt;
    expect(refused).toMatchObject({
      __typename: 'InventoryUnavailable',
      message: expect.stringContaining('circuit breaker is open') as string,
    });
    expect(refused.retryAfterSeconds).toBeGreaterThanOrEqual(1);
    expect(tookMs).toBeLessThan(1_000);

    await shop.system.start('inventory');
    await expect.poll(breakerState, { timeout: 10_000 }).toBe('HALF_OPEN');
    await untilClosed(alice);
  });

  test('an operator forces it open, by which calls are refused, and closed again', async () => {
    const alice = await shop.client('alice');
    const force = async (updateState: string) => {
      const response = await fetch(shop.actuator('orders', 'circuitbreakers/inventory'), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ updateState }),
      });
      return response.json();
    };
    expect(await force('FORCE_OPEN')).toEqual({
      circuitBreakerName: 'inventory',
      currentState: 'FORCED_OPEN',
    });
    expect(await placeOrder(alice, [line])).toMatchObject({ __typename: 'InventoryUnavailable' });
    const listed = (await (await fetch(shop.actuator('orders', 'circuitbreakers'))).json()) as object;
    expect(listed).toMatchObject({ circuitBreakers: { inventory: { state: 'FORCED_OPEN' }, products: {} } });
    expect(await force('CLOSE')).toEqual({ circuitBreakerName: 'inventory', currentState: 'CLOSED' });
    expect(await placeOrder(alice, [line])).toMatchObject({ __typename: 'OrderPlaced' });
  });

  test('calls that are slow open it, though they succeed', async () => {
    const alice = await shop.client('alice');
    const connection = new pg.Client({ connectionString: shop.system.databaseUrls.inventory });
    await connection.connect();
    try {
      for (let slow = 0; (await breakerState()) !== 'OPEN'; slow += 1) {
        expect(slow).toBeLessThan(10);
        // Whoever wants the row waits for this transaction.
        await connection.query('BEGIN');
        await connection.query(`SELECT * FROM stock WHERE sku = 'MUG-BLACK' FOR UPDATE`);
        const ordering = placeOrder(alice, [line]);
        await delay(slowCallMs + 300);
        await connection.query('COMMIT');
        expect(await ordering).toMatchObject({ __typename: 'OrderPlaced' });
      }
    } finally {
      await connection.end();
    }
    expect(await placeOrder(alice, [line])).toMatchObject({ __typename: 'InventoryUnavailable' });
    await untilClosed(alice);
  });

  test('errors that inventory answers with open it, and leave no order', async () => {
    const alice = await shop.client('alice');
    const count = async () =>
      dataOf(await alice.request<{ orders: { edges: unknown[] } }>(ordersQuery)).orders.edges.length;
    const before = await count();
    const connection = new pg.Client({ connectionString: shop.system.databaseUrls.inventory });
    await connection.connect();
    try {
      await connection.query('ALTER TABLE reservations RENAME TO reservations_away');
      for (let failures = 0; (await breakerState()) !== 'OPEN'; failures += 1) {
        expect(await placeOrder(alice, [line])).toMatchObject({ __typename: 'InventoryUnavailable' });
        expect(failures).toBeLessThan(10);
      }
    } finally {
      await connection.query('ALTER TABLE reservations_away RENAME TO reservations');
      await connection.end();
    }
    expect(await count()).toBe(before);
    await untilClosed(alice);
  });

  test('the state of the breaker is a metric', async () => {
    const response = await fetch(shop.actuator('orders', 'prometheus'));
    const text = await response.text();
    expect(text).toContain('circuitbreaker_state{name="inventory",state="CLOSED"} 1');
    expect(text).toMatch(/circuitbreaker_calls_total\{name="inventory",kind="not_permitted"\} [1-9]/);
  });

  test('out of stock is an answer and does not count as a failure', async () => {
    const alice = await shop.client('alice');
    for (let count = 0; count < 8; count++)
      expect(await placeOrder(alice, [{ sku: 'MUG-BLACK', quantity: 1000 }])).toMatchObject({
        __typename: 'OutOfStock',
        shortages: [{ sku: 'MUG-BLACK', requested: 1000 }],
      });
    expect(await breakerState()).toBe('CLOSED');
  });
});
