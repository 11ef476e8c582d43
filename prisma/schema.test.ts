import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type ServiceName, serviceNames } from '../services.ts';
import { runSql } from './migrate/database.ts';
import { deployMigrations } from './migrate.ts';
import { startScratchPostgres } from './postgres/scratch.ts';
import type { PostgresServer } from './postgres/server.ts';
import { withDatabase } from './testing.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let server: PostgresServer;

beforeAll(async () => {
  server = await startScratchPostgres();
  await Promise.all(serviceNames.map(service => deployMigrations({ service, databaseUrl: urlOf(service) })));
});

afterAll(() => server.close());

function urlOf(service: ServiceName): string {
  return withDatabase(server.url, service);
}

/** Constraints that the migrations add by hand, because a Prisma schema cannot express them. */
describe('the database of inventory', () => {
  test('has no negative stock', async () => {
    await runSql(urlOf('inventory'), `INSERT INTO stock (sku, available) VALUES ('MUG', 1)`);
    await expect(runSql(urlOf('inventory'), 'UPDATE stock SET available = available - 2')).rejects.toThrow(
      'stock_available_check',
    );
  });

  test('reserves at least one piece of a product, and forgets the lines with their reservation', async () => {
    const url = urlOf('inventory');
    const orderId = randomUUID();
    await runSql(url, `INSERT INTO reservations (order_id, status) VALUES ($1, 'RESERVED')`, [orderId]);
    const addLine = 'INSERT INTO reservation_lines (order_id, sku, quantity) VALUES ($1, $2, $3)';
    await expect(runSql(url, addLine, [orderId, 'MUG', 0])).rejects.toThrow(
      'reservation_lines_quantity_check',
    );
    await runSql(url, addLine, [orderId, 'MUG', 1]);
    await runSql(url, 'DELETE FROM reservations WHERE order_id = $1', [orderId]);
    expect(await runSql(url, 'SELECT * FROM reservation_lines')).toEqual([]);
  });
});

describe('the database of orders', () => {
  test('orders at least one piece of a product', async () => {
    const url = urlOf('orders');
    const orderId = randomUUID();
    await runSql(
      url,
      `INSERT INTO orders (id, customer_id, status, currency, total_amount, idempotency_key, input_hash)
       VALUES ($1, 'ada', 'PENDING', 'EUR', 0, 'key', 'hash')`,
      [orderId],
    );
    const addLine =
      'INSERT INTO order_lines (order_id, position, sku, quantity, unit_price_amount) VALUES ($1, 0, $2, $3, 5)';
    await expect(runSql(url, addLine, [orderId, 'MUG', 0])).rejects.toThrow('order_lines_quantity_check');
  });
});
