import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startScratchPostgres } from '../prisma/postgres/scratch.ts';
import type { PostgresServer } from '../prisma/postgres/server.ts';
import { type Database, openDatabase } from './database.ts';
import { HealthRegistry } from './health.ts';
import { createLogger } from './log.ts';

vi.setConfig({ hookTimeout: 60_000 });

describe('the database of a service', () => {
  let server: PostgresServer;
  let database: Database;
  const health = new HealthRegistry();

  beforeAll(async () => {
    server = await startScratchPostgres();
    const config = {
      DATABASE_URL: server.url,
      DATABASE_POOL_SIZE: 2,
      DATABASE_QUERY_TIMEOUT_MS: 1_000,
      DATABASE_IDLE_TRANSACTION_TIMEOUT_MS: 200,
    };
    database = await openDatabase(config, health, createLogger('test', { level: 'silent' }));
  });
  afterAll(async () => {
    await database.close();
    await server.close();
  });

  test('does not end the process when a connection breaks between two statements of its user', async () => {
    const connection = await database.pool.connect();
    const broken = new Promise(resolve => connection.once('end', resolve));
    const uncaught = vi.fn();
    process.on('uncaughtException', uncaught);
    const { rows } = await connection.query('SELECT pg_backend_pid() AS pid');
    await database.pool.query('SELECT pg_terminate_backend($1)', [rows[0].pid]);
    await broken;
    process.off('uncaughtException', uncaught);
    connection.release(true);

    expect(uncaught).not.toHaveBeenCalled();
    expect((await database.pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    expect((await health.check()).components['db']).toMatchObject({ status: 'UP' });
  });

  test('does not wait for ever for the answer of a statement', async () => {
    await expect(database.pool.query('SELECT pg_sleep(60)')).rejects.toThrow('timeout');
    expect((await database.pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });

  test('takes its locks from an instance that stays idle in a transaction, as one that is cut off does', async () => {
    await database.pool.query('CREATE TABLE things (id int); INSERT INTO things VALUES (1)');
    const cutOff = await database.pool.connect();
    await cutOff.query('BEGIN');
    await cutOff.query('SELECT * FROM things FOR UPDATE');
    const ended = new Promise(resolve => cutOff.once('end', resolve));
    expect((await database.pool.query('UPDATE things SET id = 2')).rowCount).toBe(1);
    await ended;
    cutOff.release(true);
  });
});
