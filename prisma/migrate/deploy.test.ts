import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { loadSchemaEngine } from '../engine/load.ts';
import { startScratchPostgres } from '../postgres/scratch.ts';
import type { PostgresServer } from '../postgres/server.ts';
import { createTestService, type TestService, withDatabase } from '../testing.ts';
import { createDatabase, runSql } from './database.ts';
import { deploy } from './deploy.ts';
import { MigrationError } from './error.ts';
import { checksum } from './history.ts';
import { markRolledBack } from './resolve.ts';

vi.mock(import('../engine/load.ts'), { spy: true });
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const createCups = 'CREATE TABLE cups (id INT PRIMARY KEY);\n';
const addSize = 'ALTER TABLE cups ADD COLUMN size INT;\n';

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
  vi.mocked(loadSchemaEngine).mockClear();
});

afterEach(() => service.remove());

async function failure(deployment: Promise<unknown>): Promise<MigrationError> {
  const error = await deployment.then(
    () => undefined,
    reason => reason,
  );
  expect(error).toBeInstanceOf(MigrationError);
  return error;
}

describe('deploy', () => {
  test('creates the database that the server does not have and applies every migration in order', async () => {
    await service.writeMigration('2_size', addSize);
    await service.writeMigration('1_cups', createCups);
    expect(await deploy(service.folder, databaseUrl)).toEqual({
      path: 'engine',
      applied: ['1_cups', '2_size'],
    });
    expect(await runSql(databaseUrl, 'SELECT id, size FROM cups')).toEqual([]);
  });

  test('applies only what the database lacks', async () => {
    await service.writeMigration('1_cups', createCups);
    await deploy(service.folder, databaseUrl);
    await service.writeMigration('2_size', addSize);
    expect(await deploy(service.folder, databaseUrl)).toEqual({ path: 'engine', applied: ['2_size'] });
  });

  test('asks one query, and does not load the engine, when the database is up to date', async () => {
    await service.writeMigration('1_cups', createCups);
    await deploy(service.folder, databaseUrl);
    expect(loadSchemaEngine).toHaveBeenCalledOnce();
    vi.mocked(loadSchemaEngine).mockClear();
    expect(await deploy(service.folder, databaseUrl)).toEqual({ path: 'query', applied: [] });
    expect(loadSchemaEngine).not.toHaveBeenCalled();
  });

  test('records a migration as Prisma does', async () => {
    await service.writeMigration('1_cups', createCups);
    await deploy(service.folder, databaseUrl);
    const rows = await runSql(databaseUrl, 'SELECT * FROM _prisma_migrations');
    expect(rows).toEqual([
      {
        id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
        checksum: checksum(createCups),
        migration_name: '1_cups',
        started_at: expect.any(Date),
        finished_at: expect.any(Date),
        logs: null,
        rolled_back_at: null,
        applied_steps_count: 1,
      },
    ]);
  });

  test('creates the table of migrations as Prisma does', async () => {
    await service.writeMigration('1_cups', createCups);
    await deploy(service.folder, databaseUrl);
    const columns = await runSql<{ column: string }>(
      databaseUrl,
      `SELECT concat_ws(' ', column_name, data_type, character_maximum_length, is_nullable, column_default) AS column
       FROM information_schema.columns WHERE table_name = '_prisma_migrations' ORDER BY ordinal_position`,
    );
    expect(columns.map(row => row.column)).toEqual([
      'id character varying 36 NO',
      'checksum character varying 64 NO',
      'finished_at timestamp with time zone YES',
      'migration_name character varying 255 NO',
      'logs text YES',
      'rolled_back_at timestamp with time zone YES',
      'started_at timestamp with time zone NO now()',
      'applied_steps_count integer NO 0',
    ]);
  });

  test('applies scripts with semicolons in comments, strings and function bodies', async () => {
    await service.writeMigration(
      '1_function',
      `-- first this; then that
       CREATE TABLE cups (id INT PRIMARY KEY, note TEXT DEFAULT 'a;b'); /* one; two */
       CREATE FUNCTION answer() RETURNS INT LANGUAGE plpgsql AS $$
       BEGIN
         PERFORM 1; -- half; way
         RETURN 42;
       END;
       $$;
       INSERT INTO cups (id) SELECT answer();`,
    );
    await deploy(service.folder, databaseUrl);
    expect(await runSql(databaseUrl, 'SELECT * FROM cups')).toEqual([{ id: 42, note: 'a;b' }]);
  });

  test('several services can be deployed at once in one process', async () => {
    await service.writeMigration('1_cups', createCups);
    const urls = ['a', 'b', 'c', 'd'].map(suffix => `${databaseUrl}_${suffix}`);
    const deployments = await Promise.all(urls.map(url => deploy(service.folder, url)));
    expect(deployments.map(({ applied }) => applied)).toEqual(urls.map(() => ['1_cups']));
  });

  test('one of several deployments of a new database applies the migrations, the others find them applied', async () => {
    await service.writeMigration('1_cups', createCups);
    const deployments = await Promise.all([1, 2, 3].map(() => deploy(service.folder, databaseUrl)));
    expect(deployments.flatMap(({ applied }) => applied)).toEqual(['1_cups']);
  });

  test('says where to look when there is no server', async () => {
    await expect(deploy(service.folder, 'postgresql://postgres@127.0.0.1:1/orders')).rejects.toThrow(
      'PostgreSQL at 127.0.0.1:1 could not be reached: ECONNREFUSED',
    );
  });
});

describe('a deployment that cannot go on', () => {
  test('names the migrations of a database that is ahead of the folder', async () => {
    await service.writeMigration('1_cups', createCups);
    await service.writeMigration('2_size', addSize);
    await deploy(service.folder, databaseUrl);
    await service.removeMigration('2_size');
    const error = await failure(deploy(service.folder, databaseUrl));
    expect(error.code).toBe('ahead');
    expect(error.message).toBe('The database of orders is newer than its migrations: it has 2_size');
  });

  test('names the migrations on both sides of a database that has diverged from the folder', async () => {
    await service.writeMigration('1_cups', createCups);
    await deploy(service.folder, databaseUrl);
    await service.removeMigration('1_cups');
    await service.writeMigration('1_mugs', 'CREATE TABLE mugs (id INT);');
    const error = await failure(deploy(service.folder, databaseUrl));
    expect(error.code).toBe('diverged');
    expect(error.message).toContain('has 1_cups, which are not among its migrations, and lacks 1_mugs');
  });

  test('names a migration that was edited after it was applied', async () => {
    await service.writeMigration('1_cups', createCups);
    await deploy(service.folder, databaseUrl);
    await service.writeMigration('1_cups', `${createCups}-- afterthought\n`);
    const error = await failure(deploy(service.folder, databaseUrl));
    expect(error.code).toBe('edited');
    expect(error.message).toContain('edited after they had been applied: 1_cups');
  });

  test('names the migration, the reason and the line, and keeps nothing of a migration that fails', async () => {
    await service.writeMigration('1_cups', createCups);
    await service.writeMigration('2_broken', 'CREATE TABLE mugs (id INT);\nDELETE FROM cupz;\n');
    const error = await failure(deploy(service.folder, databaseUrl));
    expect(error.code).toBe('failed');
    expect(error.message).toBe(
      'orders could not apply migration 2_broken: ' +
        'ERROR: relation "cupz" does not exist (SQLSTATE 42P01), line 2',
    );
    const tables = await runSql(
      databaseUrl,
      `SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1`,
    );
    expect(tables).toEqual([{ tablename: '_prisma_migrations' }, { tablename: 'cups' }]);
  });

  test('refuses to go on after a failed migration until that is marked as rolled back', async () => {
    await service.writeMigration('1_cups', 'CREATE TABLE cups (id INT,);');
    await failure(deploy(service.folder, databaseUrl));
    await service.writeMigration('1_cups', createCups);
    const error = await failure(deploy(service.folder, databaseUrl));
    expect(error.code).toBe('failed');
    expect(error.message).toContain('The `1_cups` migration started at');
    expect(error.message).toContain("run 'npm run db:migrate -- resolve orders 1_cups'");

    await markRolledBack(service.folder, '1_cups', databaseUrl);
    expect(await deploy(service.folder, databaseUrl)).toEqual({ path: 'engine', applied: ['1_cups'] });
    expect(await deploy(service.folder, databaseUrl)).toEqual({ path: 'query', applied: [] });
  });

  describe('when a deployment is killed', () => {
    /** Deploys in a process of its own, which is killed, with its session unless told otherwise, while that sleeps. */
    async function deployAndKill({ withSession = true } = {}): Promise<void> {
      const program = `import { deploy } from ${JSON.stringify(join(import.meta.dirname, 'deploy.ts'))};
        await deploy(${JSON.stringify(service.folder)}, ${JSON.stringify(databaseUrl)});`;
      const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', program], {
        stdio: 'ignore',
      });
      const sleeping = `FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'`;
      await vi.waitFor(
        async () => expect(await runSql(databaseUrl, `SELECT pid ${sleeping}`)).toHaveLength(1),
        20_000,
      );
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
      if (withSession) await runSql(databaseUrl, `SELECT pg_terminate_backend(pid, 5000) ${sleeping}`);
    }

    beforeEach(async () => {
      await service.writeMigration('1_cups', createCups);
      await deploy(service.folder, databaseUrl);
    });

    test('within the script, the next one applies it again', async () => {
      await service.writeMigration('2_size', `${addSize}SELECT pg_sleep(30); -- no end of line`);
      await deployAndKill();
      await service.writeMigration('2_size', addSize);
      expect(await deploy(service.folder, databaseUrl)).toEqual({ path: 'engine', applied: ['2_size'] });
      expect(await deploy(service.folder, databaseUrl)).toEqual({ path: 'query', applied: [] });
    });

    test('while the server still runs the script, the next one waits for that', async () => {
      await service.writeMigration('2_size', `${addSize}SELECT pg_sleep(2);`);
      await deployAndKill({ withSession: false });
      const error = await failure(deploy(service.folder, databaseUrl, { lockTimeoutMs: 100 }));
      expect(error.code).toBe('locked');
      expect((await deploy(service.folder, databaseUrl)).applied).toEqual([]);
      expect(await runSql(databaseUrl, 'SELECT size FROM cups')).toEqual([]);
    });

    test('after the script took effect, the next one finds it applied', async () => {
      await runSql(
        databaseUrl,
        `CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(30); RETURN NEW; END';
         CREATE TRIGGER wait BEFORE UPDATE OF applied_steps_count ON _prisma_migrations FOR EACH ROW EXECUTE FUNCTION wait()`,
      );
      await service.writeMigration('2_size', addSize);
      await deployAndKill();
      expect(await deploy(service.folder, databaseUrl)).toEqual({ path: 'query', applied: [] });
      expect(await runSql(databaseUrl, 'SELECT size FROM cups')).toEqual([]);
    });

    test('within a script that commits by itself, it counts as failed', async () => {
      await service.writeMigration('2_size', `BEGIN; ${addSize} COMMIT; SELECT pg_sleep(30);`);
      await deployAndKill();
      const error = await failure(deploy(service.folder, databaseUrl));
      expect(error.code).toBe('failed');
      expect(error.message).toContain('The `2_size` migration started at');
    });
  });

  test('applies a statement that no transaction may run', async () => {
    await service.writeMigration('1_cups', createCups);
    await service.writeMigration('2_index', 'CREATE INDEX CONCURRENTLY cups_id ON cups (id);\n');
    expect(await deploy(service.folder, databaseUrl)).toEqual({
      path: 'engine',
      applied: ['1_cups', '2_index'],
    });
    expect(await deploy(service.folder, databaseUrl)).toEqual({ path: 'query', applied: [] });
    expect(await runSql(databaseUrl, 'SELECT logs FROM _prisma_migrations')).toEqual([
      { logs: null },
      { logs: null },
    ]);
  });

  test('gives up when another process migrates the database for too long', async () => {
    await service.writeMigration('1_cups', createCups);
    await createDatabase(databaseUrl, 'test');
    const holder = new pg.Client({ connectionString: databaseUrl });
    await holder.connect();
    await holder.query('SELECT pg_advisory_lock(72707369)');
    const error = await failure(deploy(service.folder, databaseUrl, { lockTimeoutMs: 100 }));
    expect(error.code).toBe('locked');
    expect(error.message).toContain('migrating the database of orders for longer than 100 ms');
    await holder.end();
    expect(await deploy(service.folder, databaseUrl)).toMatchObject({ applied: ['1_cups'] });
  });

  describe('by a role that may not create databases', () => {
    let role: string;
    let database: string;

    beforeEach(async () => {
      role = `plain_${randomUUID()}`;
      database = new URL(databaseUrl).pathname.slice(1);
      await runSql(server.url, `CREATE ROLE "${role}" LOGIN PASSWORD 'secret'`);
      const url = new URL(databaseUrl);
      url.username = role;
      url.password = 'secret';
      databaseUrl = url.href;
      await service.writeMigration('1_cups', createCups);
    });

    test('applies migrations to a database that is there', async () => {
      await runSql(server.url, `CREATE DATABASE "${database}" OWNER "${role}"`);
      expect(await deploy(service.folder, databaseUrl)).toMatchObject({ applied: ['1_cups'] });
    });

    test('names the service, the database, the role, and what to run when it is not there', async () => {
      const error = await failure(deploy(service.folder, databaseUrl));
      expect(error.code).toBe('missing');
      expect(error.message).toBe(
        `orders: the database '${database}' does not exist, and the role '${role}' may not create it ` +
          `(permission denied to create database). Run as a role that may: CREATE DATABASE "${database}" OWNER "${role}"`,
      );
    });
  });

  test('does not mark a migration as rolled back that did not fail', async () => {
    await service.writeMigration('1_cups', createCups);
    await deploy(service.folder, databaseUrl);
    await expect(markRolledBack(service.folder, '1_cups', databaseUrl)).rejects.toThrow(
      'not in a failed state',
    );
  });
});
