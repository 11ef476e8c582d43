import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { rootDir } from '../../dev/settings.ts';
import { serviceNames } from '../../services.ts';
import { findContracting } from './contracting.ts';

/** Migrations of every service after its first, which no older version has to live with. */
async function laterMigrations(): Promise<readonly string[]> {
  const found = await Promise.all(
    serviceNames.map(async service => {
      const folder = join('prisma', service, 'migrations');
      const names = (await readdir(join(rootDir, folder), { withFileTypes: true }))
        .filter(entry => entry.isDirectory())
        .map(({ name }) => name)
        .toSorted();
      return names.slice(1).map(name => join(folder, name, 'migration.sql'));
    }),
  );
  return found.flat();
}

const migrations = await laterMigrations();

describe('a migration', () => {
  test.each(migrations)('leaves what the version before needs: %s', async file => {
    expect(findContracting(await readFile(join(rootDir, file), 'utf8'))).toEqual([]);
  });

  test.each([
    'DROP TABLE "restocks"',
    'ALTER TABLE "orders" DROP COLUMN "currency"',
    'ALTER TABLE orders DROP currency, ADD COLUMN "note" TEXT',
    'DROP TYPE "order_status"',
    'ALTER TABLE "orders" ALTER COLUMN "currency" DROP DEFAULT',
    'ALTER TABLE "orders" RENAME COLUMN "currency" TO "unit"',
    'ALTER TABLE "orders" RENAME TO "purchases"',
    `ALTER TYPE "order_status" RENAME VALUE 'PLACED' TO 'DONE'`,
    'ALTER TABLE "orders" ALTER COLUMN "total_amount" SET DATA TYPE BIGINT',
    'ALTER TABLE orders\n  ALTER total_amount TYPE bigint',
    'ALTER TABLE "orders" ALTER COLUMN "placed_at" SET NOT NULL',
    'ALTER TABLE "orders" ADD COLUMN "note" TEXT NOT NULL',
    'CREATE TABLE "a" ("b" TEXT); -- harmless\nALTER TABLE "orders" ADD "size" DECIMAL(10, 2) NOT NULL',
  ])('that breaks the version before is found: %s', sql => {
    expect(findContracting(`${sql};\n`)).toHaveLength(1);
  });

  test.each([
    'CREATE TABLE "notes" ("id" UUID NOT NULL, "text" TEXT NOT NULL)',
    'ALTER TABLE "orders" ADD COLUMN "note" TEXT',
    `ALTER TABLE "orders" ADD COLUMN "note" TEXT NOT NULL DEFAULT ''`,
    'ALTER TABLE "orders" ADD CONSTRAINT "a" CHECK ("note" IS NOT NULL)',
    `ALTER TABLE "orders" ALTER COLUMN "note" SET DEFAULT '', ALTER COLUMN "note" SET NOT NULL`,
    'ALTER TABLE "orders" ALTER COLUMN "note" DROP NOT NULL',
    'ALTER TABLE "orders" DROP CONSTRAINT "a"',
    `ALTER TYPE "order_status" ADD VALUE 'SENT'`,
    'CREATE INDEX "a" ON "orders"("note")',
    '-- DROP TABLE "orders";',
    `COMMENT ON TABLE "orders" IS 'no ; DROP TABLE "orders"; here'`,
    'CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN DROP TABLE orders; END; $$',
  ])('that the version before can live with is not: %s', sql => {
    expect(findContracting(`${sql};\n`)).toEqual([]);
  });

  test('may break the version before when it says why', () => {
    const drop = 'ALTER TABLE "orders" DROP COLUMN "note";\n';
    expect(findContracting(`-- contract: no release since 1.4 reads it\n${drop}`)).toEqual([]);
    expect(findContracting(`-- contract:\n${drop}`)).toHaveLength(1);
  });
});
