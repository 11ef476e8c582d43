import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { startScratchPostgres } from '../postgres/scratch.ts';
import type { PostgresServer } from '../postgres/server.ts';
import { createTestService, type TestService, withDatabase } from '../testing.ts';
import { findMissingSql } from './check.ts';
import { createMigration } from './create.ts';
import { createDatabase, runSql } from './database.ts';
import { deploy } from './deploy.ts';
import { describeStatus, readStatus } from './status.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const cups = 'model Cup {\n  id Int @id\n  lines Line[]\n}\n';
const lines =
  'model Line {\n  id Int @id @default(autoincrement())\n  cup Cup @relation(fields: [cupId], references: [id])\n  cupId Int\n}\n';

let server: PostgresServer;
let service: TestService;
let databaseUrl: string;

beforeAll(async () => {
  server = await startScratchPostgres();
});

afterAll(() => server.close());

beforeEach(async () => {
  service = await createTestService();
  databaseUrl = withDatabase(server.url, `test_${randomUUID()}`);
  await createDatabase(databaseUrl, 'test');
});

afterEach(async () => {
  await service.remove();
  const shadows = await runSql(
    server.url,
    `SELECT datname FROM pg_database WHERE datname LIKE 'prisma_migrate%'`,
  );
  expect(shadows).toEqual([]);
});

/** A service whose schema, migrations and database agree. The relation has the engine read columns of type "char". */
async function settle(): Promise<void> {
  await service.writeSchema(cups + lines);
  await createMigration(service.folder, 'init', databaseUrl);
  await deploy(service.folder, databaseUrl);
}

describe('createMigration', () => {
  test("writes the SQL that brings an empty history to the schema, and Prisma's lock file", async () => {
    await service.writeSchema(cups + lines);
    const name = await createMigration(service.folder, 'init', databaseUrl);
    expect(name).toMatch(/^\d{14}_init$/);
    const { migrationsDir } = service.folder;
    const sql = await readFile(join(migrationsDir, name ?? '', 'migration.sql'), 'utf8');
    expect(sql).toContain('CREATE TABLE "Cup" (\n    "id" INTEGER NOT NULL');
    expect(await readFile(join(migrationsDir, 'migration_lock.toml'), 'utf8')).toContain(
      'provider = "postgresql"',
    );
  });

  test('does not apply what it writes', async () => {
    await service.writeSchema(cups + lines);
    await createMigration(service.folder, 'init', databaseUrl);
    expect(await runSql(databaseUrl, `SELECT tablename FROM pg_tables WHERE schemaname = 'public'`)).toEqual(
      [],
    );
  });

  test('writes only what the schema adds to the history', async () => {
    await settle();
    await service.writeSchema(cups.replace('}', '  size Int?\n}') + lines);
    const name = await createMigration(service.folder, 'size', databaseUrl);
    const sql = await readFile(join(service.folder.migrationsDir, name ?? '', 'migration.sql'), 'utf8');
    expect(sql).toBe('-- AlterTable\nALTER TABLE "Cup" ADD COLUMN     "size" INTEGER;\n');
  });

  test('writes nothing when history and schema agree', async () => {
    await settle();
    expect(await createMigration(service.folder, 'nothing', databaseUrl)).toBeUndefined();
  });

  test('needs no database that has the history', async () => {
    await settle();
    await service.writeSchema(cups.replace('}', '  size Int?\n}') + lines);
    expect(await createMigration(service.folder, 'size', server.url)).toMatch(/^\d{14}_size$/);
  });

  test('refuses a name that is no good for a folder', async () => {
    await expect(createMigration(service.folder, 'Add size', databaseUrl)).rejects.toThrow(
      'it is "Add size"',
    );
  });
});

describe('findMissingSql', () => {
  test('finds nothing when the migrations make the schema', async () => {
    await settle();
    expect(await findMissingSql(service.folder, databaseUrl)).toBeUndefined();
  });

  test('finds the SQL of a change to the schema that no migration makes', async () => {
    await settle();
    await service.writeSchema(cups.replace('}', '  size Int?\n}') + lines);
    expect(await findMissingSql(service.folder, databaseUrl)).toContain(
      'ALTER TABLE "Cup" ADD COLUMN     "size"',
    );
  });

  test('finds the whole schema when there are no migrations', async () => {
    await service.writeSchema(cups + lines);
    expect(await findMissingSql(service.folder, databaseUrl)).toContain('CREATE TABLE "Cup"');
  });

  test('lets triggers and constraints be that only the migrations know', async () => {
    await settle();
    await service.writeMigration(
      '90000101000000_extras',
      `ALTER TABLE "Cup" ADD CONSTRAINT positive CHECK (id > 0);
       CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END; $$;
       CREATE TRIGGER quiet AFTER INSERT ON "Cup" FOR EACH STATEMENT EXECUTE FUNCTION nothing();`,
    );
    expect(await findMissingSql(service.folder, databaseUrl)).toBeUndefined();
  });

  test('names the migration and the reason when the history does not apply', async () => {
    await service.writeMigration('1_broken', 'SELCT 1;');
    await expect(findMissingSql(service.folder, databaseUrl)).rejects.toThrow(
      /Migration `1_broken` failed to apply cleanly(.|\n)*syntax error at or near "SELCT"/,
    );
  });
});

describe('readStatus', () => {
  test('tells that a database is up to date', async () => {
    await settle();
    const status = await readStatus(service.folder, databaseUrl);
    expect(status).toEqual({ history: { state: 'upToDate' }, drift: undefined });
    expect(describeStatus(status)).toBe('up to date');
  });

  test('tells which migrations a database lacks, also when there is no such database', async () => {
    await service.writeMigration('1_cups', 'CREATE TABLE cups (id INT)');
    for (const url of [databaseUrl, `${databaseUrl}_missing`]) {
      const status = await readStatus(service.folder, url);
      expect(describeStatus(status)).toBe('has not applied 1_cups');
    }
  });

  test('tells how a database differs from what its migrations make', async () => {
    await settle();
    await runSql(databaseUrl, 'ALTER TABLE "Cup" ADD COLUMN colour TEXT');
    const status = await readStatus(service.folder, databaseUrl);
    expect(status.history).toEqual({ state: 'upToDate' });
    expect(status.drift).toMatch(/Changed the `Cup` table\n +\[\+\] Added column `colour`/);
    expect(describeStatus(status)).toMatch(
      /^applied every migration, but has changed since\. Drift detected/,
    );
  });

  test('tells which migration failed', async () => {
    await service.writeMigration('1_broken', 'SELCT 1;');
    await expect(deploy(service.folder, databaseUrl)).rejects.toThrow('1_broken');
    const status = await readStatus(service.folder, databaseUrl);
    expect(describeStatus(status)).toBe('stopped in 1_broken, which failed or still runs');
  });
});
