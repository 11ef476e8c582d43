import { createHash } from 'node:crypto';
import type { Pool, PoolClient, QueryResultRow } from 'pg';

/** Runner of SQL: a pool, or one of its connections in a transaction. */
export type Queryable = Pick<PoolClient, 'query'>;

/**
 * Makes a statement that each connection parses once and then only runs, for what every request needs.
 *
 * @param text SQL, with `$1`, `$2`, … for the values; its columns are named as the rows' fields
 * @returns runs it with values, and gives its rows
 * @see https://www.postgresql.org/docs/current/sql-prepare.html
 */
export function prepare<Row extends QueryResultRow, Values extends readonly unknown[]>(text: string) {
  const name = createHash('sha256').update(text).digest('base64url');
  return async (on: Queryable, values: Values): Promise<Row[]> => {
    const { rows } = await on.query<Row>({ name, text, values: [...values] });
    return rows;
  };
}

/** Runs something on a connection. What it leaves of a transaction when it throws is rolled back. @throws what it throws */
export async function onConnection<T>(pool: Pool, run: (connection: Queryable) => Promise<T>): Promise<T> {
  const connection = await pool.connect();
  let broken = false;
  try {
    return await run(connection);
  } catch (error) {
    await connection.query('ROLLBACK').catch(() => {
      broken = true;
    });
    throw error;
  } finally {
    connection.release(broken);
  }
}
