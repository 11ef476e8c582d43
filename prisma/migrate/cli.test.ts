import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { serviceNames } from '../../services.ts';
import { startScratchPostgres } from '../postgres/scratch.ts';
import type { PostgresServer } from '../postgres/server.ts';
import { repositoryDir } from '../service-folder.ts';
import { createTestService, type TestService, withDatabase } from '../testing.ts';
import { runCommandLine } from './cli.ts';
import { createDatabase, runSql } from './database.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

/** Prisma's advisory lock, as the native engine takes it. */
const lockSql = 'SELECT pg_advisory_lock(72707369)';

let server: PostgresServer;
let service: TestService;
let databaseUrl: string;
let printed: string[];

beforeAll(async () => {
  server = await startScratchPostgres();
});

afterAll(() => server.close());

beforeEach(async () => {
  service = await createTestService();
  databaseUrl = withDatabase(server.url, `test_${randomUUID()}`);
  for (const name of serviceNames) vi.stubEnv(`${name.toUpperCase()}_DATABASE_URL`, undefined);

  printed = [];
  vi.spyOn(console, 'log').mockImplementation(line => printed.push(String(line)));
});

afterEach(async () => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  await service.remove();
});

interface Finished {
  code: number;
  output: string;
  /** From the last output to the end of the process. */
  lingeredMs: number;
}

/** Runs the script as its users do. */
async function runScript(args: string[], env: Record<string, string> = {}): Promise<Finished> {
  const child = spawn(process.execPath, ['--import', 'tsx', join('prisma', 'migrate.ts'), ...args], {
    cwd: repositoryDir,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let lastOutputAt = performance.now();
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', chunk => {
      output += String(chunk);
      lastOutputAt = performance.now();
    });

  const [code] = await once(child, 'close');
  return { code, output, lingeredMs: performance.now() - lastOutputAt };
}

describe('the command line of the migrations', () => {
  test('deploys, tells the status and resolves a failed migration', async () => {
    vi.stubEnv('ORDERS_DATABASE_URL', databaseUrl);
    const run = (...args: string[]) => runCommandLine(args, service.rootDir);
    await service.writeMigration('1_cups', 'CREATE TABLE cups (id INT,);');
    await expect(run('deploy', 'orders')).rejects.toThrow('could not apply migration 1_cups');
    expect(await run('status', 'orders')).toBe(false);
    expect(await run('resolve', 'orders', '1_cups')).toBe(true);
    await service.writeMigration('1_cups', 'CREATE TABLE cups (id INT);');
    expect(await run('deploy', 'orders')).toBe(true);
    expect(await run('deploy', 'orders')).toBe(true);
    expect(await run('status', 'orders')).toBe(true);
    expect(printed).toEqual([
      'orders: stopped in 1_cups, which failed or still runs',
      'orders: 1_cups counts as rolled back',
      'orders: applied 1_cups',
      'orders: up to date',
      'orders: up to date',
    ]);
  });

  test('creates and checks with a PostgreSQL of its own when no database is named', async () => {
    const run = (...args: string[]) => runCommandLine(args, service.rootDir);
    await service.writeSchema('model Cup {\n  id Int @id\n}\n');
    expect(await run('check', 'orders')).toBe(false);
    expect(printed.pop()).toContain('orders: the migrations lack\n-- CreateTable');
    expect(await run('create', 'orders', 'init')).toBe(true);
    expect(printed.pop()).toMatch(/^orders: created \d{14}_init$/);
    expect(await run('check', 'orders')).toBe(true);
    expect(printed.pop()).toBe('orders: the migrations make the schema');
  });

  test('the migrations of every service of this repository make its schema', async () => {
    vi.stubEnv('ORDERS_DATABASE_URL', server.url);
    expect(await runCommandLine(['check'])).toBe(true);
    expect(printed).toEqual(serviceNames.map(name => `${name}: the migrations make the schema`));
  });

  test('names the variable of a database that is not given, before it changes any other', async () => {
    const finished = await runScript(['deploy'], { PRODUCTS_DATABASE_URL: databaseUrl });
    expect(finished).toMatchObject({
      code: 1,
      output: 'INVENTORY_DATABASE_URL is not set; set it to the PostgreSQL URL of inventory\n',
    });
    const databases = await runSql(server.url, 'SELECT datname FROM pg_database WHERE datname LIKE $1', [
      'test_%',
    ]);
    expect(databases).not.toContainEqual({ datname: new URL(databaseUrl).pathname.slice(1) });
  });

  test('tells how it is used when a command or a service is not known', async () => {
    await expect(runCommandLine([])).rejects.toThrow('usage: migrate <command>');
    await expect(runCommandLine(['deploy', 'billing'])).rejects.toThrow(
      'name one of products, inventory, orders, notifications; billing is none of them',
    );
  });
});

describe('two processes that deploy the same database', () => {
  test('wait for each other: one applies, the other finds it applied, and both end when that is done', async () => {
    await createDatabase(databaseUrl, 'test');
    const holder = new pg.Client({ connectionString: databaseUrl });
    await holder.connect();
    await holder.query(lockSql);
    const deployments = [1, 2].map(() =>
      runScript(['deploy', 'orders'], { ORDERS_DATABASE_URL: databaseUrl }),
    );
    // Both have seen that a migration is pending, and stand in line.
    await vi.waitUntil(async () => (await countLockWaiters(holder)) === 2, { timeout: 30_000, interval: 50 });
    await holder.end();
    const results = await Promise.all(deployments);
    expect(results.map(({ code }) => code)).toEqual([0, 0]);
    // The engine's own timer for the lock has ten seconds, and must not keep the process alive.
    expect(Math.max(...results.map(({ lingeredMs }) => lingeredMs))).toBeLessThan(5_000);
    const outputs = results.map(({ output }) => output).sort();
    expect(outputs).toEqual([expect.stringMatching(/^orders: applied \d{14}_init/), 'orders: up to date\n']);
    const rows = await runSql(
      databaseUrl,
      'SELECT finished_at IS NOT NULL AS finished FROM _prisma_migrations',
    );
    expect(rows.every(row => row['finished'])).toBe(true);
    expect(rows).toHaveLength(outputs[0]?.split(',').length ?? 0);
  });
});

async function countLockWaiters(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ waiters: number }>(
    `SELECT count(*)::int AS waiters FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
  );
  return rows[0]?.waiters ?? 0;
}
