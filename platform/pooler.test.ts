import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startScratchPostgres } from '../prisma/postgres/scratch.ts';
import type { PostgresServer } from '../prisma/postgres/server.ts';
import { isPooled, pooledClient } from './pooler.ts';
import { prepare } from './statement.ts';

vi.setConfig({ hookTimeout: 60_000 });

describe('a connection for a pooler', () => {
  let server: PostgresServer;
  let pool: pg.Pool;
  beforeAll(async () => {
    server = await startScratchPostgres();
    pool = new pg.Pool({ connectionString: server.url, max: 1, Client: pooledClient(1_234) });
  });
  afterAll(async () => {
    await pool.end();
    await server.close();
  });

  test('is not needed where there is none', async () => {
    expect(await isPooled({ connectionString: server.url })).toBe(false);
  });

  test('leaves no prepared statement behind', async () => {
    const addOne = prepare<{ sum: number }, [number]>('SELECT $1::int + 1 AS sum');
    for (const value of [1, 2]) expect(await addOne(pool, [value])).toEqual([{ sum: value + 1 }]);
    expect((await pool.query('SELECT name FROM pg_prepared_statements')).rows).toEqual([]);
  });

  test.each(['BEGIN', 'BEGIN; SELECT 1', { text: 'BEGIN', values: [] }])(
    'bounds the idleness of the transaction that begins with %j, and of no other',
    async begin => {
      const timeout = async () =>
        (await pool.query("SELECT current_setting('idle_in_transaction_session_timeout') AS idle")).rows[0];
      expect(await timeout()).toEqual({ idle: '0' });
      await pool.query(begin as string);
      expect(await timeout()).toEqual({ idle: '1234ms' });
      await pool.query('COMMIT');
      expect(await timeout()).toEqual({ idle: '0' });
    },
  );
});
