import pg from 'pg';
import { MigrationError } from './error.ts';

/** Longest time that a server may take to answer at all, in ms. */
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

/**
 * Runs something while a transaction is open that has begun with these statements.
 *
 * @throws pg.DatabaseError when the server refuses them
 * @throws Error when no server answers
 */
export async function inTransaction<T>(databaseUrl: string, sql: string, run: () => Promise<T>): Promise<T> {
  const client = await connect(databaseUrl);
  // One that is lost meanwhile ends the transaction, and is no error of what runs.
  client.on('error', () => {});
  try {
    await client.query(`BEGIN; ${sql}`);
    return await run();
  } finally {
    await client.end();
  }
}

async function connect(databaseUrl: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: connectTimeoutMs });
  await client.connect().catch(cause => {
    if (cause instanceof pg.DatabaseError) throw cause;

    // The system's own error for a name with several addresses has no message.
    throw new Error(
      `PostgreSQL at ${client.host}:${client.port} could not be reached: ${cause.code ?? cause.message}`,
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

/**
 * Creates the database that the URL names, unless the server has it; several processes may do so at once. A role that may
 * not create databases needs one that is there.
 *
 * @throws MigrationError `missing` when the role may not create it, with the statement that does
 */
export async function createDatabase(databaseUrl: string, service: string): Promise<void> {
  if (await hasDatabase(databaseUrl)) return;

  const maintenanceUrl = new URL(databaseUrl);
  const database = decodeURIComponent(maintenanceUrl.pathname.slice(1));
  const role = decodeURIComponent(maintenanceUrl.username);
  maintenanceUrl.pathname = '/postgres';
  const statement = `CREATE DATABASE ${pg.escapeIdentifier(database)}`;
  try {
    await runSql(maintenanceUrl.href, statement);
  } catch (error) {
    // duplicate_database, or unique_violation in the catalogue when another process was a moment faster
    if (hasSqlState(error, '42P04', '23505')) return;

    // insufficient_privilege, invalid_authorization_specification: also where the role may not use `postgres`
    if (hasSqlState(error, '42501', '28000'))
      throw new MigrationError(
        'missing',
        `${service}: the database '${database}' does not exist, and the role '${role}' may not create it ` +
          `(${(error as Error).message}). Run as a role that may: ${statement} OWNER ${pg.escapeIdentifier(role)}`,
        { cause: error },
      );

    throw error;
  }
}

async function hasDatabase(databaseUrl: string): Promise<boolean> {
  try {
    await runSql(databaseUrl, 'SELECT 1');
    return true;
  } catch (error) {
    // invalid_catalog_name
    if (hasSqlState(error, '3D000')) return false;

    throw error;
  }
}
