import pg from 'pg';

/** How long a server may take to answer at all. */
export const connectTimeoutMs = 10_000;

/**
 * Runs SQL in a session of its own: one statement with values, or several without, and gives the rows.
 *
 * @throws pg.DatabaseError when the server refuses it
 * @throws Error when no server answers
 */
export async function runSql<Row extends pg.QueryResultRow>(
  databaseUrl: string,
  sql: string,
  values?: unknown[],
): Promise<Row[]> {
  const client = await connect(databaseUrl);
  try {
    return (await client.query<Row>(sql, values)).rows;
  } finally {
    await client.end();
  }
}

async function connect(databaseUrl: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: connectTimeoutMs });
  await client.connect().catch(cause => {
    if (cause instanceof pg.DatabaseError) {
      throw cause;
    }
    // The system's own error for a name with several addresses has no message.
    throw new Error(
      `expected PostgreSQL at ${client.host}:${client.port}, but got ${cause.code ?? cause.message}`,
      {
        cause,
      },
    );
  });
  return client;
}

/** Tells whether an error is PostgreSQL's with one of these SQLSTATE codes (PostgreSQL manual, appendix A). */
export function hasSqlState(error: unknown, ...codes: string[]): boolean {
  return error instanceof pg.DatabaseError && error.code !== undefined && codes.includes(error.code);
}

/** Creates the database that the URL names, unless the server has it; several processes may do so at once. */
export async function createDatabase(databaseUrl: string): Promise<void> {
  const maintenanceUrl = new URL(databaseUrl);
  const database = decodeURIComponent(maintenanceUrl.pathname.slice(1));
  maintenanceUrl.pathname = '/postgres';
  try {
    await runSql(maintenanceUrl.href, `CREATE DATABASE ${pg.escapeIdentifier(database)}`);
  } catch (error) {
    // duplicate_database, or unique_violation in the catalogue when another process was a moment faster
    if (!hasSqlState(error, '42P04', '23505')) {
      throw error;
    }
  }
}
