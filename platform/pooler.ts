import pg from 'pg';

/**
 * Tells if a pooler such as PgBouncer stands between this process and PostgreSQL: it gives its clients process numbers of
 * its own. Whether it gives each session or each transaction another connection can't be told.
 *
 * @param options of a connection
 * @throws when the database can't be reached
 */
export async function isPooled(options: pg.ClientConfig): Promise<boolean> {
  const client = new pg.Client(options);
  // One that breaks says so to its query as well.
  client.on('error', () => {});
  try {
    await client.connect();
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    return rows[0]?.pid !== (client as unknown as { processID: number | null }).processID;
  } finally {
    await client.end();
  }
}

type Query = (...args: unknown[]) => unknown;

/**
 * Makes the class of connections that go through a pooler, and may be another one with each transaction: their statements
 * have no names, which would stay behind for others, and what a session would be told once is told to each transaction.
 *
 * @see https://www.pgbouncer.org/features.html
 */
export function pooledClient(idleTransactionTimeoutMs: number): typeof pg.Client {
  const begin = `BEGIN; SET LOCAL idle_in_transaction_session_timeout = ${idleTransactionTimeoutMs}`;
  const through = (text: string) => text.replace(/^BEGIN\b/, begin);
  const query = pg.Client.prototype.query as Query;
  return class extends pg.Client {
    override query = ((first: unknown, ...rest: unknown[]) => {
      if (typeof first === 'string') return query.call(this, through(first), ...rest);
      const isText = typeof first === 'object' && first !== null && 'text' in first && !('submit' in first);
      if (!isText) return query.call(this, first, ...rest);
      const { name: _, text, ...config } = first as pg.QueryConfig;
      return query.call(this, { ...config, text: through(text) }, ...rest);
    }) as pg.Client['query'];
  };
}
