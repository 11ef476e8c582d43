import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createGraphClient, type GraphClient } from '../../dev/graph-client.ts';
import { logToFiles } from '../../dev/logs.ts';
import { rootDir } from '../../dev/settings.ts';
import { type System, startSystem } from '../../dev/system.ts';
import { startScratchPostgres } from '../../prisma/postgres/scratch.ts';
import type { PostgresServer } from '../../prisma/postgres/server.ts';
import { serviceNames } from '../../services.ts';
import { feedCursorOf, placedOrderId } from '../helpers/shop.ts';
import { isolatedSettings, makeDataDir } from '../helpers/system.ts';

interface Received {
  readonly notificationReceived: { readonly order: { readonly id: string } };
}

describe('services whose roles only read and write rows', () => {
  let postgres: PostgresServer;
  let system: System;
  let client: GraphClient;
  let dataDir = '';

  const urlOf = (role: string, database: string) =>
    `postgresql://${role}:secret@127.0.0.1:${postgres.port}/${database}`;
  const forEachService = (entry: (name: string, upper: string) => [string, string][]) =>
    Object.fromEntries(serviceNames.flatMap(name => entry(name, name.toUpperCase())));

  /** Runs a job as the Compose file does. */
  async function runJob(args: readonly string[], env: Record<string, string>): Promise<string> {
    const { stdout } = await promisify(execFile)(process.execPath, args as string[], {
      cwd: join(rootDir, 'dist'),
      env: { ...process.env, ...env },
    });
    return stdout;
  }

  beforeAll(async () => {
    dataDir = await makeDataDir();
    postgres = await startScratchPostgres();
    const owners = forEachService((name, upper) => [[`${upper}_DATABASE_URL`, urlOf(`${name}_owner`, name)]]);
    const users = forEachService((name, upper) => [[`${upper}_DATABASE_URL`, urlOf(name, name)]]);
    await runJob(['prisma/roles.js'], {
      POSTGRES_ADMIN_URL: postgres.url,
      ...owners,
      ...forEachService((name, upper) => [[`${upper}_SERVICE_DATABASE_URL`, urlOf(name, name)]]),
    });
    const migrated = await runJob(['prisma/migrate.js', 'deploy'], {
      ...owners,
      ...forEachService((name, upper) => [[`${upper}_DATABASE_ROLE`, name]]),
    });
    for (const name of serviceNames) expect(migrated).toContain(`${name}: ${name} reads and writes rows`);
    expect(await runJob(['prisma/seed.js'], users)).toContain('added 12 products');
    system = await startSystem({ settings: isolatedSettings(dataDir, users), onLine: logToFiles(dataDir) });
    client = createGraphClient(system.graphUrl, await system.keys.mintToken('alice'));
  });
  afterAll(async () => {
    await client?.close();
    await system?.close();
    await postgres?.close();
    await rm(dataDir, { recursive: true, force: true });
  });

  test('take orders, and tell of them', async () => {
    const events = client.subscribe<Received>(
      'subscription ($after: String!) { notificationReceived(after: $after) { order { id } } }',
      { after: await feedCursorOf(client) },
    );
    const id = await placedOrderId(client, [{ sku: 'MUG-BLACK', quantity: 1 }]);
    const { value } = await events[Symbol.asyncIterator]().next();
    expect(value?.data?.notificationReceived.order.id).toBe(id);
    expect(await connectedRoles()).toEqual(new Set(serviceNames.map(name => `${name} in ${name}`)));
  });

  /** Roles that are connected to databases, but for the superuser's own session. */
  async function connectedRoles(): Promise<Set<string>> {
    const admin = new pg.Client({ connectionString: postgres.url });
    await admin.connect();
    const { rows } = await admin.query(
      `SELECT DISTINCT usename::text AS role, datname::text AS database FROM pg_stat_activity
       WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`,
    );
    await admin.end();
    return new Set(rows.map(({ role, database }) => `${role} in ${database}`));
  }
});
