import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { assortment } from './assortment.ts';
import { runSql } from './migrate/database.ts';
import { deployMigrations } from './migrate.ts';
import { startScratchPostgres } from './postgres/scratch.ts';
import type { PostgresServer } from './postgres/server.ts';
import { seed } from './seed.ts';
import { withDatabase } from './testing.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let server: PostgresServer;
let productsUrl: string;
let inventoryUrl: string;

beforeAll(async () => {
  server = await startScratchPostgres();
  productsUrl = withDatabase(server.url, 'products');
  inventoryUrl = withDatabase(server.url, 'inventory');
  await deployMigrations({ service: 'products', databaseUrl: productsUrl });
  await deployMigrations({ service: 'inventory', databaseUrl: inventoryUrl });
});

afterAll(() => server.close());

describe('seed', () => {
  test('fills empty databases with every article and its stock', async () => {
    const count = assortment.length;
    expect(await seed({ productsUrl, inventoryUrl })).toEqual({ products: count, stock: count });
    expect(await runSql(productsUrl, `SELECT * FROM products WHERE sku = 'MUG-BLACK'`)).toEqual([
      {
        sku: 'MUG-BLACK',
        name: 'Stoneware mug, black',
        description: expect.stringContaining('Hand-glazed'),
        price_amount: 1450,
        price_currency: 'EUR',
        created_at: expect.any(Date),
        updated_at: expect.any(Date),
      },
    ]);
  });

  test('offers a dozen articles, of which one is sold out and one has three pieces left', async () => {
    const rows = await runSql<{ available: number }>(
      inventoryUrl,
      'SELECT available FROM stock ORDER BY available',
    );
    expect(rows).toHaveLength(12);
    expect(rows.slice(0, 2)).toEqual([{ available: 0 }, { available: 3 }]);
    expect(rows[2]?.available).toBeGreaterThan(3);
  });

  test('adds what is missing and leaves alone what has changed', async () => {
    await seed({ productsUrl, inventoryUrl });
    await runSql(productsUrl, `DELETE FROM products WHERE sku = 'MUG-SAND'`);
    await runSql(productsUrl, `UPDATE products SET price_amount = 1 WHERE sku = 'MUG-BLACK'`);
    await runSql(inventoryUrl, `UPDATE stock SET available = 7 WHERE sku = 'MUG-BLACK'`);
    expect(await seed({ productsUrl, inventoryUrl })).toEqual({ products: 1, stock: 0 });
    expect(await runSql(productsUrl, `SELECT price_amount FROM products WHERE sku = 'MUG-BLACK'`)).toEqual([
      { price_amount: 1 },
    ]);
    expect(await runSql(inventoryUrl, `SELECT available FROM stock WHERE sku = 'MUG-BLACK'`)).toEqual([
      { available: 7 },
    ]);
  });
});
