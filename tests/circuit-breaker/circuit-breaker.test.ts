import { describe, expect, test } from 'vitest';
import { placeOrder } from '../helpers/shop.ts';
import { useSystem } from '../helpers/system.ts';

const openMs = 1_500;
const line = { sku: 'MUG-BLACK', quantity: 1 };

describe('orders call inventory behind a circuit breaker', () => {
  const shop = useSystem({
    env: { INVENTORY_BREAKER_OPEN_MS: String(openMs), INVENTORY_TIMEOUT_MS: '1000' },
  });

  async function breakerState(): Promise<string> {
    const response = await fetch(shop.actuator('orders', 'health'));
    const health = (await response.json()) as {
      components: { circuitBreakers: { details: { inventory: { state: string } } } };
    };
    return health.components.circuitBreakers.details.inventory.state;
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
    await expect
      .poll(async () => (await placeOrder(alice, [line])).__typename, { timeout: 15_000 })
      .toBe('OrderPlaced');
    expect(await breakerState()).toBe('CLOSED');
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
