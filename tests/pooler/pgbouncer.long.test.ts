import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createGraphClient, type GraphClient } from '../../dev/graph-client.ts';
import { logToFiles } from '../../dev/logs.ts';
import { type System, startSystem } from '../../dev/system.ts';
import { freePort } from '../../platform/free-port.ts';
import { chooseAccount } from '../../prisma/postgres/account.ts';
import { startScratchPostgres } from '../../prisma/postgres/scratch.ts';
import type { PostgresServer } from '../../prisma/postgres/server.ts';
import { serviceNames } from '../../services.ts';
import { findProgram } from '../helpers/programs.ts';
import { feedCursorOf, placedOrderId } from '../helpers/shop.ts';
import { isolatedSettings, makeDataDir } from '../helpers/system.ts';

const pgbouncer = findProgram('pgbouncer');
if (!pgbouncer)
  console.warn(
    'SKIPPED: PgBouncer is not installed, so nothing went through it (apt-get install pgbouncer).',
  );

const subscription =
  'subscription ($after: String!) { notificationReceived(after: $after) { order { id } } }';

interface Received {
  readonly notificationReceived: { readonly order: { readonly id: string } };
}

/** Starts PgBouncer as it is configured by default, but for the mode. @returns its port, and what ends it */
async function startPooler(folder: string, mode: string, postgresPort: number) {
  const port = await freePort();
  const configFile = join(folder, 'pgbouncer.ini');
  await writeFile(
    configFile,
    `[databases]
* = host=127.0.0.1 port=${postgresPort} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = ${mode}
`,
  );
  await chmod(configFile, 0o644);
  // It refuses to run as root, as PostgreSQL does.
  const child = spawn(pgbouncer as string, [configFile], {
    ...(await chooseAccount(folder)),
    cwd: '/',
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exited = once(child, 'exit');
  let log = '';
  child.stderr.on('data', chunk => {
    log += String(chunk);
  });
  await vi.waitFor(() => expect(log).toContain('process up'), 5_000);
  return {
    port,
    log: () => log,
    async close() {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

describe.skipIf(!pgbouncer).each(['session', 'transaction'])('behind PgBouncer that pools by %s', mode => {
  let postgres: PostgresServer;
  let pooler: Awaited<ReturnType<typeof startPooler>>;
  let system: System;
  let dataDir = '';
  const clients: GraphClient[] = [];

  beforeAll(async () => {
    dataDir = await makeDataDir();
    postgres = await startScratchPostgres();
    const direct = new pg.Client({ connectionString: postgres.url });
    await direct.connect();
    for (const name of serviceNames) await direct.query(`CREATE DATABASE ${name}`);
    await direct.end();
    pooler = await startPooler(dataDir, mode, postgres.port);
    const urls = serviceNames.map(name => [
      `${name.toUpperCase()}_DATABASE_URL`,
      `postgresql://postgres@127.0.0.1:${pooler.port}/${name}`,
    ]);
    system = await startSystem({
      settings: isolatedSettings(dataDir, Object.fromEntries(urls) as Record<string, string>),
      scale: { orders: 2, notifications: 2 },
      onLine: logToFiles(dataDir),
    });
  });
  afterAll(async () => {
    await Promise.all(clients.map(client => client.close()));
    await system?.close();
    await pooler?.close();
    await postgres?.close();
    await rm(dataDir, { recursive: true, force: true });
  });

  test('orders are placed by many at once, and every one is told of', async () => {
    const customers = Array.from({ length: 8 }, (_, index) => `customer-${index}`);
    await Promise.all(
      customers.map(async customer => {
        const client = createGraphClient(system.graphUrl, await system.keys.mintToken(customer));
        clients.push(client);
        const events = client.subscribe<Received>(subscription, { after: await feedCursorOf(client) });
        const placed: string[] = [];
        for (let count = 0; count < 5; count++)
          placed.push(await placedOrderId(client, [{ sku: 'FILTER-PAPER-100', quantity: 1 }]));
        const told: string[] = [];
        while (told.length < placed.length) {
          const { value } = await events.next();
          told.push((value as { data: Received }).data.notificationReceived.order.id);
        }
        // Orders of one customer may lie on several partitions.
        expect(told.sort()).toEqual(placed.sort());
      }),
    );
    expect(pooler.log()).not.toMatch(/unsupported startup parameter|prepared statement/);
  });
});
