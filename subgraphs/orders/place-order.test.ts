import { randomUUID } from 'node:crypto';
import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { PorticoError } from '../../platform/errors.ts';
import { startServiceDatabases } from '../../prisma/testing.ts';
import { createStockStore, type StockStore } from '../inventory/store.ts';
import { PrismaClient } from './generated/prisma/client.ts';
import type { Inventory, ReserveOutcome } from './inventory.ts';
import { type OrderDependencies, placeOrder } from './place-order.ts';
import { createOrderStore, type OrderStore } from './store.ts';

vi.setConfig({ testTimeout: 30_000, hookTimeout: 60_000 });

let databases: Awaited<ReturnType<typeof startServiceDatabases<'orders' | 'inventory'>>>;
let prisma: PrismaClient;
let pools: [orders: pg.Pool, inventory: pg.Pool];
let store: OrderStore;
let stock: StockStore;

beforeAll(async () => {
  databases = await startServiceDatabases('orders', 'inventory');
  pools = [databases.urls.orders, databases.urls.inventory].map(
    connectionString => new pg.Pool({ connectionString, max: 20 }),
  ) as typeof pools;
  prisma = new PrismaClient({ adapter: new PrismaPg(pools[0]) });
  store = createOrderStore({ pool: pools[0], onChange: () => {} });
  stock = createStockStore(pools[1]);
});
afterAll(async () => {
  await Promise.all(pools.map(pool => pool.end()));
  await databases.close();
});

const alice = { kind: 'customer', id: 'alice', scopes: [] } as const;
const unavailable = { kind: 'unavailable', message: 'inventory is away', retryAfterSeconds: 1 } as const;

/** Inventory without a network: the real store, and before it what a test makes of the call. */
function inventoryWith(before: (orderId: string) => Promise<ReserveOutcome | undefined>): Inventory {
  return {
    async reserve(orderId, lines) {
      const outcome = (await before(orderId)) ?? (await stock.reserve(orderId, lines));
      return outcome.kind === 'released' ? unavailable : outcome;
    },
  };
}

function dependenciesWith(inventory: Inventory = inventoryWith(async () => undefined)): OrderDependencies {
  return {
    store,
    inventory,
    catalogue: { prices: async skus => skus.map(() => ({ amount: 100, currency: 'EUR' })) },
  };
}

/** A sku of its own for the test, with this many pieces. */
async function stockOf(quantity: number): Promise<string> {
  const sku = `SKU-${randomUUID().slice(0, 8)}`;
  await stock.restock({ sku, quantity, requestedBy: 'admin', idempotencyKey: null });
  return sku;
}

function inputFor(sku: string, { quantity = 2, idempotencyKey = randomUUID() as string } = {}) {
  return { idempotencyKey, items: [{ sku, quantity }] };
}

/** Does what inventory does when the events arrive. */
async function deliverEvents(): Promise<string[]> {
  const events = await prisma.outboxEvent.findMany({ orderBy: { sequence: 'asc' } });
  await prisma.outboxEvent.deleteMany();
  const types = events.map(({ headers }) => (headers as Record<string, string>)['ce_type'] ?? '');
  for (const [index, { key }] of events.entries())
    if (!types[index]?.includes('placed')) await stock.release(key);
  return types.map(type => type.split('.')[3] ?? type);
}

const availableOf = async (sku: string) => (await stock.findMany([sku]))[0];

describe('the same key', () => {
  test('gives the same order, also to requests at the same time', async () => {
    const sku = await stockOf(10);
    const input = inputFor(sku);
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, () => placeOrder(dependenciesWith(), alice, input)),
    );
    outcomes.push(await placeOrder(dependenciesWith(), alice, input));
    const ids = new Set(
      outcomes.map(outcome => (outcome.kind === 'placed' ? outcome.order.id : outcome.kind)),
    );
    expect(ids.size).toBe(1);
    expect(await availableOf(sku)).toBe(8);
    expect(await deliverEvents()).toEqual(['placed']);
  });

  test('is refused for other items, also at the same time', async () => {
    const sku = await stockOf(10);
    const idempotencyKey = randomUUID();
    const requests = [1, 2, 3, 4].map(quantity =>
      placeOrder(dependenciesWith(), alice, inputFor(sku, { quantity, idempotencyKey })),
    );
    const settled = await Promise.allSettled(requests);
    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const each of settled)
      if (each.status === 'rejected') expect(each.reason).toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' });
    expect(await deliverEvents()).toEqual(['placed']);
  });

  test('of another customer is another order', async () => {
    const input = inputFor(await stockOf(10));
    const outcomes = [
      await placeOrder(dependenciesWith(), alice, input),
      await placeOrder(dependenciesWith(), { ...alice, id: 'bob' }, input),
    ];
    expect(outcomes.map(({ kind }) => kind)).toEqual(['placed', 'placed']);
    expect(await deliverEvents()).toEqual(['placed', 'placed']);
  });

  test('goes on with the order that a crash left undecided', async () => {
    const sku = await stockOf(10);
    const input = inputFor(sku);
    const crashing = inventoryWith(() => new Promise(() => {}));
    void placeOrder(dependenciesWith(crashing), alice, input);
    const begun = await vi.waitUntil(() => store.findByKey('alice', input.idempotencyKey));
    expect(await placeOrder(dependenciesWith(), alice, input)).toMatchObject({
      kind: 'placed',
      order: { id: begun.id },
    });
    expect(await deliverEvents()).toEqual(['placed']);
  });
});

describe('an input that no database can hold', () => {
  test.each([
    ['sku', { items: [{ sku: 'MUG\0', quantity: 1 }] }, 'items.0.sku'],
    ['key', { idempotencyKey: 'once\0' }, 'idempotencyKey'],
  ])('is refused, and its %s named', async (_name, wrong, field) => {
    const input = { ...inputFor(await stockOf(10)), ...wrong };
    await expect(placeOrder(dependenciesWith(), alice, input)).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
      details: { fields: [field] },
    });
    expect(await deliverEvents()).toEqual([]);
  });
});

describe('an order that is not placed', () => {
  test('gives back what it had reserved before a crash, also when the breaker is open at the next try', async () => {
    const sku = await stockOf(10);
    const input = inputFor(sku);
    const crashing = inventoryWith(async orderId => {
      await stock.reserve(orderId, input.items);
      return new Promise(() => {});
    });
    void placeOrder(dependenciesWith(crashing), alice, input);
    await vi.waitUntil(async () => (await availableOf(sku)) === 8);

    const outcome = await placeOrder(dependenciesWith(inventoryWith(async () => unavailable)), alice, input);
    expect(outcome.kind).toBe('unavailable');
    expect(await deliverEvents()).toEqual(['abandoned']);
    expect(await availableOf(sku)).toBe(10);
  });

  test('keeps nothing when another request for it reserves after the refusal', async () => {
    const sku = await stockOf(1);
    const input = inputFor(sku);
    let reserveLate: () => void = () => {};
    const late = inventoryWith(
      () =>
        new Promise(resolve => {
          reserveLate = () => resolve(undefined);
        }),
    );
    const slow = placeOrder(dependenciesWith(late), alice, input);
    await vi.waitUntil(() => store.findByKey('alice', input.idempotencyKey));
    expect((await placeOrder(dependenciesWith(), alice, input)).kind).toBe('shortage');
    await stock.restock({ sku, quantity: 9, requestedBy: 'admin', idempotencyKey: null });
    reserveLate();
    expect((await slow).kind).toBe('unavailable');
    expect(await deliverEvents()).toEqual(['abandoned']);
    expect(await availableOf(sku)).toBe(10);
  });

  test('is not what a client is told when another request has placed it', async () => {
    const input = inputFor(await stockOf(10));
    const slowRefusal = inventoryWith(async () => {
      await placeOrder(dependenciesWith(), alice, input);
      return unavailable;
    });
    expect(await placeOrder(dependenciesWith(slowRefusal), alice, input)).toMatchObject({
      kind: 'placed',
      order: { status: 'PLACED' },
    });
    expect(await deliverEvents()).toEqual(['placed']);
  });

  test('is given up when inventory refuses it for another reason than its stock', async () => {
    const input = inputFor(await stockOf(10));
    const refusing = inventoryWith(() => Promise.reject(new PorticoError('FORBIDDEN', 'not for you')));
    await expect(placeOrder(dependenciesWith(refusing), alice, input)).rejects.toMatchObject({
      code: 'FORBIDDEN',
    });
    expect(await store.findByKey('alice', input.idempotencyKey)).toBeNull();
    expect(await deliverEvents()).toEqual(['abandoned']);
  });

  test('frees its key', async () => {
    const sku = await stockOf(1);
    const input = inputFor(sku);
    expect((await placeOrder(dependenciesWith(), alice, input)).kind).toBe('shortage');
    await stock.restock({ sku, quantity: 1, requestedBy: 'admin', idempotencyKey: null });
    expect((await placeOrder(dependenciesWith(), alice, input)).kind).toBe('placed');
    expect(await deliverEvents()).toEqual(['abandoned', 'placed']);
    expect(await availableOf(sku)).toBe(0);
  });
});

describe('a cancellation', () => {
  test('happens once, however often it is asked for at the same time', async () => {
    const sku = await stockOf(10);
    const outcome = await placeOrder(dependenciesWith(), alice, inputFor(sku));
    const id = outcome.kind === 'placed' ? outcome.order.id : '';
    const cancelled = await Promise.all(Array.from({ length: 5 }, () => store.cancel('alice', id)));
    expect(cancelled.map(order => order?.status)).toEqual(Array(5).fill('CANCELLED'));
    expect(await deliverEvents()).toEqual(['placed', 'cancelled']);
    expect(await availableOf(sku)).toBe(10);
  });

  test('of an order that is not placed yet finds none, and the order can still be placed', async () => {
    const input = inputFor(await stockOf(10));
    const meddling = inventoryWith(async orderId => {
      expect(await store.cancel('alice', orderId)).toBeUndefined();
      return undefined;
    });
    expect((await placeOrder(dependenciesWith(meddling), alice, input)).kind).toBe('placed');
    expect(await deliverEvents()).toEqual(['placed']);
  });

  test("of somebody else's order finds none", async () => {
    const outcome = await placeOrder(dependenciesWith(), alice, inputFor(await stockOf(10)));
    const id = outcome.kind === 'placed' ? outcome.order.id : '';
    expect(await store.cancel('bob', id)).toBeUndefined();
    expect(await deliverEvents()).toEqual(['placed']);
  });

  test('leaves the order what its key stands for', async () => {
    const input = inputFor(await stockOf(10));
    const outcome = await placeOrder(dependenciesWith(), alice, input);
    const id = outcome.kind === 'placed' ? outcome.order.id : '';
    await store.cancel('alice', id);
    expect(await placeOrder(dependenciesWith(), alice, input)).toMatchObject({
      kind: 'placed',
      order: { id, status: 'CANCELLED' },
    });
    expect(await deliverEvents()).toEqual(['placed', 'cancelled']);
  });
});
