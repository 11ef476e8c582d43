import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startServiceDatabases } from '../../prisma/testing.ts';
import { createStockStore, type StockStore } from './store.ts';

vi.setConfig({ testTimeout: 30_000, hookTimeout: 60_000 });

let databases: Awaited<ReturnType<typeof startServiceDatabases<'inventory'>>>;
let pool: pg.Pool;
let store: StockStore;

beforeAll(async () => {
  databases = await startServiceDatabases('inventory');
  pool = new pg.Pool({ connectionString: databases.urls.inventory, max: 20 });
  store = createStockStore(pool);
});
afterAll(async () => {
  await pool.end();
  await databases.close();
});

async function stockOf(quantity: number): Promise<string> {
  const sku = `SKU-${randomUUID().slice(0, 8)}`;
  await store.restock({ sku, quantity, requestedBy: 'admin', idempotencyKey: null });
  return sku;
}

const availableOf = async (sku: string) => (await store.findMany([sku]))[0];

describe('a reservation', () => {
  test('takes its lines once, however often it is asked for at the same time', async () => {
    const sku = await stockOf(10);
    const orderId = randomUUID();
    const outcomes = await Promise.all(
      Array.from({ length: 8 }, () => store.reserve(orderId, [{ sku, quantity: 3 }])),
    );
    expect(outcomes).toEqual(Array(8).fill({ kind: 'reserved' }));
    expect(await availableOf(sku)).toBe(7);
  });

  test('takes all lines or none', async () => {
    const [plenty, scarce] = [await stockOf(10), await stockOf(1)];
    const lines = [
      { sku: plenty, quantity: 2 },
      { sku: scarce, quantity: 2 },
    ];
    expect(await store.reserve(randomUUID(), lines)).toEqual({
      kind: 'shortage',
      shortages: [{ sku: scarce, requested: 2, available: 1 }],
    });
    expect([await availableOf(plenty), await availableOf(scarce)]).toEqual([10, 1]);
  });

  test('that was refused may succeed later', async () => {
    const sku = await stockOf(1);
    const orderId = randomUUID();
    expect((await store.reserve(orderId, [{ sku, quantity: 2 }])).kind).toBe('shortage');
    await store.restock({ sku, quantity: 1, requestedBy: 'admin', idempotencyKey: null });
    expect((await store.reserve(orderId, [{ sku, quantity: 2 }])).kind).toBe('reserved');
    expect(await availableOf(sku)).toBe(0);
  });

  test('that comes after its release takes nothing', async () => {
    const sku = await stockOf(10);
    const orderId = randomUUID();
    await store.release(orderId);
    expect(await store.reserve(orderId, [{ sku, quantity: 3 }])).toEqual({ kind: 'released' });
    expect(await availableOf(sku)).toBe(10);
  });

  test('that is released, also several times at once, gives its lines back once', async () => {
    const sku = await stockOf(10);
    const orderId = randomUUID();
    await store.reserve(orderId, [{ sku, quantity: 3 }]);
    await Promise.all(Array.from({ length: 5 }, () => store.release(orderId)));
    expect(await availableOf(sku)).toBe(10);
    expect(await store.reserve(orderId, [{ sku, quantity: 3 }])).toEqual({ kind: 'released' });
  });

  test('and its release at the same time leave the stock as it was', async () => {
    const sku = await stockOf(20);
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        const orderId = randomUUID();
        await Promise.all([store.reserve(orderId, [{ sku, quantity: 1 }]), store.release(orderId)]);
      }),
    );
    expect(await availableOf(sku)).toBe(20);
  });

  test('never takes more than there is, in whatever sequence the skus come', async () => {
    const skus = [await stockOf(10), await stockOf(10)];
    const outcomes = await Promise.all(
      Array.from({ length: 30 }, (_, index) => {
        const lines = skus.map(sku => ({ sku, quantity: 1 }));
        return store.reserve(randomUUID(), index % 2 === 0 ? lines : lines.toReversed());
      }),
    );
    expect(outcomes.filter(({ kind }) => kind === 'reserved')).toHaveLength(10);
    expect(await store.findMany(skus)).toEqual([0, 0]);
  });
});

describe('a restocking', () => {
  test('under a key adds once, however often it is asked for at the same time', async () => {
    const sku = await stockOf(1);
    const restock = { sku, quantity: 5, requestedBy: 'admin', idempotencyKey: randomUUID() };
    await Promise.all(Array.from({ length: 5 }, () => store.restock(restock)));
    expect(await availableOf(sku)).toBe(6);
  });

  test('of other pieces under the same key is refused', async () => {
    const sku = await stockOf(1);
    const restock = { sku, quantity: 5, requestedBy: 'admin', idempotencyKey: randomUUID() };
    await store.restock(restock);
    await expect(store.restock({ ...restock, quantity: 6 })).rejects.toMatchObject({
      code: 'IDEMPOTENCY_KEY_REUSED',
    });
    await store.restock({ ...restock, requestedBy: 'another admin', quantity: 6 });
    expect(await availableOf(sku)).toBe(12);
  });

  test('without a key adds every time', async () => {
    const sku = await stockOf(1);
    await store.restock({ sku, quantity: 5, requestedBy: 'admin', idempotencyKey: null });
    await store.restock({ sku, quantity: 5, requestedBy: 'admin', idempotencyKey: null });
    expect(await availableOf(sku)).toBe(11);
  });
});
