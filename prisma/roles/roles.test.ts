import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { serviceNames } from '../../services.ts';
import { runCommandLine } from '../migrate/cli.ts';
import { runSql } from '../migrate/database.ts';
import { deployMigrations } from '../migrate.ts';
import { startScratchPostgres } from '../postgres/scratch.ts';
import type { PostgresServer } from '../postgres/server.ts';
import { withDatabase } from '../testing.ts';
import { createRoles } from './create.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

// What a URL has to escape, and SQL as well.
const password = "p/a'ss@w:o?rd";
let server: PostgresServer;
let adminUrl: string;

function urlOf(role: string, database: string, itsPassword = password): string {
  const url = new URL(withDatabase(server.url, database));
  url.username = role;
  url.password = encodeURIComponent(itsPassword);
  return url.href;
}

const databases = () =>
  serviceNames.map(service => ({
    service,
    ownerUrl: urlOf(`${service}_owner`, service),
    serviceUrl: urlOf(service, service),
  }));

/** Message with which the server refuses a statement of a role. */
async function refusal(databaseUrl: string, sql: string): Promise<string> {
  return await runSql(databaseUrl, sql).then(
    () => 'not refused',
    error => (error as Error).message,
  );
}

async function deploy(): Promise<void> {
  for (const { service, ownerUrl } of databases()) {
    vi.stubEnv(`${service.toUpperCase()}_DATABASE_URL`, ownerUrl);
    vi.stubEnv(`${service.toUpperCase()}_DATABASE_ROLE`, service);
  }
  expect(await runCommandLine(['deploy'])).toBe(true);
}

beforeAll(async () => {
  vi.spyOn(console, 'log').mockImplementation(() => {});
  server = await startScratchPostgres();
  // The server of development asks nobody for a password; this one does, as all others.
  await runSql(server.url, `ALTER ROLE postgres PASSWORD 'super'`);
  await writeFile(join(server.dataDir, 'pg_hba.conf'), 'host all all 127.0.0.1/32 scram-sha-256\n');
  await runSql(server.url, 'SELECT pg_reload_conf()');
  adminUrl = urlOf('postgres', 'postgres', 'super');
  await createRoles(adminUrl, databases());
  await deploy();
});

afterAll(async () => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  await server.close();
});

describe('the role of a service', () => {
  test.each(serviceNames)('%s reads and writes rows', async service => {
    const tables = await runSql<{ table: string; rights: string }>(
      urlOf(service, service),
      `SELECT relname AS table, (SELECT string_agg(privilege_type, ' ' ORDER BY privilege_type)
       FROM aclexplode(relacl) WHERE grantee = current_user::regrole) AS rights
       FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'`,
    );
    const rightsByTable = new Map(tables.map(({ table, rights }) => [table, rights]));
    expect(rightsByTable.get('_prisma_migrations')).toBe('SELECT');
    rightsByTable.delete('_prisma_migrations');
    expect(rightsByTable.size).toBeGreaterThan(0);
    expect(new Set(rightsByTable.values())).toEqual(new Set(['DELETE INSERT SELECT UPDATE']));
  });

  test('takes the next number of a sequence', async () => {
    expect(
      await runSql(
        urlOf('orders', 'orders'),
        `INSERT INTO outbox_events (id, topic, key, headers, value) VALUES (gen_random_uuid(), 't', 'k', '{}', '')
         RETURNING sequence`,
      ),
    ).toEqual([{ sequence: '1' }]);
  });

  test.each([
    'CREATE TABLE spoils (id int)',
    'CREATE TEMPORARY TABLE spoils (id int)',
    'CREATE SCHEMA spoils',
    'ALTER TABLE orders ADD COLUMN spoils int',
    'DROP TABLE orders',
    'TRUNCATE orders',
    'CREATE INDEX ON orders (id)',
    "ALTER TYPE order_status ADD VALUE 'SPOILED'",
    'DELETE FROM _prisma_migrations',
    'CREATE ROLE spoils',
    'CREATE DATABASE spoils',
    'SET ROLE orders_owner',
    `COPY orders TO PROGRAM 'true'`,
  ])('may not: %s', async sql => {
    expect(await refusal(urlOf('orders', 'orders'), sql)).toMatch(/permission denied|must be owner/);
  });

  test.each(['products', 'inventory', 'notifications', 'postgres', 'template1'])(
    'orders does not get into the database %s, nor does its owner',
    async database => {
      for (const role of ['orders', 'orders_owner'])
        expect(await refusal(urlOf(role, database), 'SELECT 1')).toBe(
          `permission denied for database "${database}"`,
        );
    },
  );

  test('needs its password', async () => {
    expect(await refusal(urlOf('orders', 'orders', 'guess'), 'SELECT 1')).toContain(
      'password authentication failed',
    );
  });
});

describe('createRoles', () => {
  test('changes a password, and nothing of what is there, any number of times at once', async () => {
    const changed = databases().map(database =>
      database.service === 'orders'
        ? { ...database, serviceUrl: urlOf('orders', 'orders', 'changed') }
        : database,
    );
    await Promise.all([createRoles(adminUrl, changed), createRoles(adminUrl, changed)]);
    expect(await refusal(urlOf('orders', 'orders'), 'SELECT 1')).toContain('password authentication failed');
    expect(await runSql(urlOf('orders', 'orders', 'changed'), 'SELECT count(*)::int FROM orders')).toEqual([
      { count: 0 },
    ]);
    await createRoles(adminUrl, databases());
    await Promise.all([deploy(), deploy()]);
  });

  test('gives the owner what the superuser had made', async () => {
    const url = urlOf('postgres', 'taken', 'super');
    await deployMigrations({ service: 'orders', databaseUrl: url });
    const taken = {
      service: 'taken',
      ownerUrl: urlOf('taken_owner', 'taken'),
      serviceUrl: urlOf('taken', 'taken'),
    };
    await createRoles(adminUrl, [taken]);
    await runSql(
      taken.ownerUrl,
      `ALTER TYPE order_status ADD VALUE 'RETURNED'; ALTER TABLE orders ADD COLUMN more int`,
    );
    expect((await deployMigrations({ service: 'orders', databaseUrl: taken.ownerUrl })).path).toBe('query');
  });

  test('refuses a URL without a password, and says which', async () => {
    const [first] = databases();
    const serviceUrl = withDatabase(server.url, 'products');
    await expect(
      createRoles(adminUrl, [{ ...first, service: 'products', ownerUrl: serviceUrl, serviceUrl }]),
    ).rejects.toThrow('products: the URL of its database must name a role and a password');
  });
});
