import { assortment } from './assortment.ts';
import { runSql } from './migrate/database.ts';
import { runAsScript } from './script.ts';
import { databaseUrl } from './service-folder.ts';

/** Numbers of rows that a seeding added. */
export interface Seeded {
  products: number;
  stock: number;
}

/**
 * Fills the catalogue and the stock of a small shop. Adds what is missing and leaves alone what is there, whatever its
 * price or stock is by now. In SQL, because loading two Prisma clients takes longer than everything else at start-up.
 *
 * @param options.productsUrl database of the service products, migrated
 * @param options.inventoryUrl database of the service inventory, migrated
 */
export async function seed(options: { productsUrl: string; inventoryUrl: string }): Promise<Seeded> {
  const articles = JSON.stringify(assortment);
  const [products, stock] = await Promise.all([
    runSql(
      options.productsUrl,
      `INSERT INTO products (sku, name, description, price_amount, price_currency)
       SELECT sku, name, description, "priceAmount", 'EUR'
       FROM jsonb_to_recordset($1) AS article (sku text, name text, description text, "priceAmount" int)
       ON CONFLICT DO NOTHING RETURNING sku`,
      [articles],
    ),
    runSql(
      options.inventoryUrl,
      `INSERT INTO stock (sku, available)
       SELECT sku, available FROM jsonb_to_recordset($1) AS article (sku text, available int)
       ON CONFLICT DO NOTHING RETURNING sku`,
      [articles],
    ),
  ]);
  return { products: products.length, stock: stock.length };
}

await runAsScript(import.meta.url, async () => {
  const added = await seed({ productsUrl: databaseUrl('products'), inventoryUrl: databaseUrl('inventory') });
  console.log(`added ${added.products} products and ${added.stock} rows of stock`);
});
