import { describe, expect, test } from 'vitest';
import { createOperationContext, resolvers } from './resolvers.ts';
import type { StockStore } from './store.ts';

/** A stock of three pieces of everything that refuses NUL, as PostgreSQL does. */
function createStore(): StockStore {
  const hold = (...texts: (string | null)[]) => {
    if (texts.some(text => text?.includes('\0')))
      throw new Error('invalid byte sequence for encoding "UTF8": 0x00');
  };
  return {
    async findMany(skus) {
      hold(...skus);
      return skus.map(() => 3);
    },
    async restock({ sku, idempotencyKey }) {
      hold(sku, idempotencyKey);
    },
    async reserve(_orderId, lines) {
      hold(...lines.map(({ sku }) => sku));
      return { kind: 'reserved' };
    },
    async release() {},
  };
}

type Resolve = (root: unknown, args: unknown, context: unknown) => unknown;
const { Mutation, Product } = resolvers as unknown as Record<string, Record<string, Resolve>>;
const admin = { kind: 'customer', id: 'root', scopes: ['admin'] } as const;
const orders = { kind: 'service', id: 'orders', scopes: [] } as const;
const contextOf = (caller: typeof admin | typeof orders) =>
  createOperationContext({ store: createStore(), catalogue: { has: async () => true } }, caller);
const orderId = '0190a0b0-0000-7000-8000-000000000000';

describe('the stock', () => {
  test('is added to', async () => {
    const args = { sku: 'MUG', quantity: 1, idempotencyKey: 'once' };
    expect(await Mutation?.['restock']?.({}, args, contextOf(admin))).toEqual({ sku: 'MUG' });
  });

  test.each([
    ['restock', admin, { sku: 'MUG\0', quantity: 1 }, 'sku'],
    ['restock', admin, { sku: 'MUG', quantity: 1, idempotencyKey: 'once\0' }, 'idempotencyKey'],
    ['reserve', orders, { orderId, lines: [{ sku: 'MUG\0', quantity: 1 }] }, 'lines.0.sku'],
  ])('%s refuses what can be in no database, and names it: %#', async (name, caller, args, field) => {
    await expect(Mutation?.[name]?.({}, args, contextOf(caller))).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
      details: { fields: [field] },
    });
  });

  test('has nothing for a reference that can be no sku', () => {
    const reference = Product?.['__resolveReference'];
    expect(reference?.({ sku: 'MUG\0' }, contextOf(admin), undefined)).toBeNull();
    expect(reference?.({ sku: 'MUG' }, contextOf(admin), undefined)).toEqual({ sku: 'MUG' });
  });
});
