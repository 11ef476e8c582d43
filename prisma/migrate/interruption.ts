import { DriverAdapterError, type SqlDriverAdapter } from '@prisma/driver-adapter-utils';

/** In the column `logs` of a migration that runs: the migration and this row's end are one transaction. */
const mark = 'runs in one transaction';
/** The row of the migration that runs: Prisma starts none while another is unfinished. */
const unfinished = `WHERE finished_at IS NULL AND rolled_back_at IS NULL`;

/**
 * Lets a migration whose process was killed be applied again by the next deployment, instead of counting as failed.
 * Prisma records the start, the script and the end of a migration one after the other, and a process that dies in between
 * leaves nobody to tell whether the script took effect. Here the end is recorded in the script's own transaction: a row
 * that carries the mark and has no end is of a script that PostgreSQL rolled back.
 *
 * Scripts that commit by themselves, or that no transaction may run, are left as Prisma runs them; an interrupted one
 * waits for somebody to look at it and to call `resolve`.
 *
 * @param session holds the lock of migrations
 */
export async function healInterruptions(
  session: SqlDriverAdapter,
  { scripts, lockTimeoutMs }: { readonly scripts: ReadonlySet<string>; readonly lockTimeoutMs: number },
): Promise<void> {
  await rollBackMarked(session, lockTimeoutMs);
  const query = session.queryRaw.bind(session);
  session.queryRaw = statement => query({ ...statement, sql: markedInsert(statement.sql) });
  const runScript = session.executeScript.bind(session);
  const runUnmarked = async (script: string) => {
    await runScript(`UPDATE _prisma_migrations SET logs = NULL ${unfinished}`);
    await runScript(script);
  };
  session.executeScript = async script => {
    if (!scripts.has(script)) return await runScript(script);
    if (/\bcommit\b/i.test(script)) return await runUnmarked(script);
    try {
      await runScript(
        // The row stays locked until the script has taken effect or not, whether or not its process lives.
        `SELECT FROM _prisma_migrations WHERE logs = '${mark}' FOR UPDATE; ${script}\n;UPDATE _prisma_migrations SET finished_at = now(), logs = NULL WHERE logs = '${mark}'`,
      );
    } catch (error) {
      // active_sql_transaction: a statement that cannot run inside one
      if (!isPostgresError(error, '25001')) throw error;
      await runUnmarked(script);
    }
  };
}

/** Adds the mark to the statement by which Prisma records that a migration starts. */
function markedInsert(sql: string): string {
  return sql.replace(
    /^(INSERT INTO "_prisma_migrations" \([^)]*)\) VALUES \(([^)]*)\)/,
    `$1,"logs") VALUES ($2,'${mark}')`,
  );
}

/** Waits for a script that still runs in the server, although its process has gone. */
async function rollBackMarked(session: SqlDriverAdapter, lockTimeoutMs: number): Promise<void> {
  try {
    await session.executeScript(
      `SET LOCAL lock_timeout = ${lockTimeoutMs};
       UPDATE _prisma_migrations SET rolled_back_at = now() ${unfinished} AND logs = '${mark}'`,
    );
  } catch (error) {
    // undefined_table: nothing has been migrated yet
    if (!isPostgresError(error, '42P01')) throw error;
  }
}

/** Tells whether an error of the engine's session has this SQLSTATE code. */
export function isPostgresError(error: unknown, code: string): boolean {
  return error instanceof DriverAdapterError && error.cause.originalCode === code;
}
