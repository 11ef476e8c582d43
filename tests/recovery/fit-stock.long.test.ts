import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { describe, expect, onTestFinished, test } from 'vitest';
import { rootDir } from '../../dev/settings.ts';
import { findProgram } from '../helpers/programs.ts';
import { availableOf, placedOrderId } from '../helpers/shop.ts';
import { useSystem } from '../helpers/system.ts';
import { compareStock } from './shop-state.ts';

const psql = findProgram('psql');
if (!psql)
  console.warn('SKIPPED: psql is not installed, so no stock was mended (apt-get install postgresql-client).');

/** The commands of docs/recovery.md that make the stock fit the orders. */
function commandsOfThePage(): string {
  const page = readFileSync(join(rootDir, 'docs', 'recovery.md'), 'utf8');
  const [block = ''] = [...page.matchAll(/```sh\n([\s\S]*?)```/g)]
    .map(([, text]) => text ?? '')
    .filter(text => text.includes('placed.tsv'));
  return block;
}

async function change(connectionString: string, text: string, orderId: string): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    for (const statement of text.split(';')) await client.query(statement.replaceAll('$1', `'${orderId}'`));
  } finally {
    await client.end();
  }
}

/** What a restore to before an order leaves in inventory. */
const forgetReservation = `
  UPDATE stock SET available = available + quantity FROM reservation_lines AS line
    WHERE order_id = $1 AND stock.sku = line.sku;
  DELETE FROM reservations WHERE order_id = $1`;

describe.skipIf(!psql)('a stock that does not fit the orders', () => {
  const shop = useSystem();

  test('fits them after the commands of docs/recovery.md', async () => {
    const alice = await shop.client('alice');
    const { orders, inventory } = shop.system.databaseUrls;
    const available = await availableOf(alice, 'MUG-BLACK');
    const place = () =>
      placedOrderId(alice, [
        { sku: 'MUG-BLACK', quantity: 2 },
        { sku: 'MUG-SAND', quantity: 1 },
      ]);
    const [kept, forgotten, released, lost] = [await place(), await place(), await place(), await place()];
    // Inventory was set back to before one order and has released another; orders was set back to before a third.
    await change(inventory, forgetReservation, forgotten);
    await change(
      inventory,
      `UPDATE reservations SET status = 'RELEASED' WHERE order_id = $1;
       UPDATE stock SET available = available + quantity FROM reservation_lines AS line
         WHERE order_id = $1 AND stock.sku = line.sku`,
      released,
    );
    await change(orders, 'DELETE FROM orders WHERE id = $1', lost);
    expect(await compareStock(shop.system.databaseUrls)).toEqual({
      placed: [kept, forgotten, released].toSorted(),
      reserved: [kept, lost].toSorted(),
    });

    const folder = mkdtempSync(join(tmpdir(), 'portico-fit-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const mend = () =>
      execFileSync('sh', ['-euc', commandsOfThePage()], {
        cwd: folder,
        env: { ...process.env, ORDERS_DATABASE_URL: orders, INVENTORY_DATABASE_URL: inventory },
      });
    mend();
    const { placed, reserved } = await compareStock(shop.system.databaseUrls);
    expect(reserved).toEqual(placed);
    expect(await availableOf(alice, 'MUG-BLACK')).toBe(available - 3 * 2);
    mend();
    expect(await availableOf(alice, 'MUG-BLACK')).toBe(available - 3 * 2);
    await place();
    expect(await availableOf(alice, 'MUG-BLACK')).toBe(available - 4 * 2);
  });
});
