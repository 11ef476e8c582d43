import { describe, expect, test } from 'vitest';
import { createOperationContext, resolvers } from './resolvers.ts';
import type { ProductStore } from './store.ts';

const mug = {
  sku: 'MUG-BLACK',
  name: 'Mug',
  description: '',
  priceAmount: 900,
  priceCurrency: 'EUR',
  createdAt: new Date(0),
  updatedAt: new Date(0),
};

/** A store of one product that refuses NUL, as PostgreSQL does. */
function createStore(): ProductStore {
  const hold = (...texts: (string | undefined)[]) => {
    if (texts.some(text => text?.includes('\0')))
      throw new Error('invalid byte sequence for encoding "UTF8": 0x00');
  };
  return {
    findMany(skus) {
      hold(...skus);
      return Promise.resolve(skus.map(sku => (sku === mug.sku ? mug : null)));
    },
    page({ afterKey }, search) {
      hold(afterKey, search);
      return Promise.resolve([mug]);
    },
    create(product) {
      hold(product.name, product.description);
      return Promise.resolve({ ...mug, ...product });
    },
    update(sku) {
      hold(sku);
      return Promise.resolve(sku === mug.sku ? mug : undefined);
    },
  };
}

type Resolve = (root: unknown, args: unknown, context: unknown) => unknown;
const { Query, Mutation, Product } = resolvers as unknown as Record<string, Record<string, Resolve>>;
const admin = { kind: 'customer', id: 'root', scopes: ['admin'] } as const;
const resolve = async (resolver: Resolve | undefined, args: unknown) =>
  resolver?.({}, args, createOperationContext(createStore(), admin));

describe('the catalogue', () => {
  test('has a product by its sku, and none by one that could be somebody’s', async () => {
    expect(await resolve(Query?.['product'], { sku: 'MUG-BLACK' })).toBe(mug);
    expect(await resolve(Query?.['product'], { sku: 'NO-SUCH-THING' })).toBeNull();
  });

  test.each([
    ['product', Query?.['product'], { sku: '\0' }, 'sku'],
    ['product', Query?.['product'], { sku: 'X'.repeat(65) }, 'sku'],
    ['products', Query?.['products'], { search: '\0' }, 'search'],
    ['updateProduct', Mutation?.['updateProduct'], { sku: '\0', input: {} }, 'sku'],
    [
      'createProduct',
      Mutation?.['createProduct'],
      { input: { sku: 'A', name: '\0', description: '', price: { amount: 1, currency: 'EUR' } } },
      'name',
    ],
  ])('%s refuses what can be in no database, and names it: %#', async (_name, resolver, args, field) => {
    await expect(resolve(resolver, args)).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
      details: { fields: [field] },
    });
  });

  test('refuses a cursor that holds no sku', async () => {
    const after = Buffer.from('products:\0').toString('base64url');
    await expect(resolve(Query?.['products'], { after })).rejects.toMatchObject({ code: 'BAD_USER_INPUT' });
  });

  test('has nothing for a reference that can be no sku', async () => {
    const context = createOperationContext(createStore(), undefined);
    const reference = Product?.['__resolveReference'];
    expect(await reference?.({ sku: '\0' }, context, undefined)).toBeNull();
    expect(await reference?.({ sku: 'MUG-BLACK' }, context, undefined)).toBe(mug);
  });
});
