import type { SqlDriverAdapter } from '@prisma/driver-adapter-utils';
import { filters, withSchemaEngine } from '../engine/engine.ts';
import { SchemaEngineError } from '../engine/error.ts';
import { toMigrationList } from '../engine/list.ts';
import type { ServiceFolder } from '../service-folder.ts';
import { hasSqlState, inTransaction } from './database.ts';
import { MigrationError } from './error.ts';
import type { Migration } from './history.ts';
import { healInterruptions, isPostgresError } from './interruption.ts';

/** Prisma's own number for the PostgreSQL advisory lock that lets one process migrate a database at a time. */
const advisoryLock = 72707369;

/** Migrations to apply, and the database. */
export interface Application {
  folder: ServiceFolder;
  migrations: Migration[];
  databaseUrl: string;
  /** Time to wait for another process that migrates the same database. */
  lockTimeoutMs: number;
}

/**
 * Applies with Prisma's schema engine what a database lacks; alone, however many processes try.
 *
 * @returns the names of the migrations that were applied now, in order
 * @throws MigrationError `failed` or `locked`
 */
export async function applyMigrations(application: Application): Promise<string[]> {
  const { databaseUrl, lockTimeoutMs, migrations } = application;
  const { service, schemaDir, migrationsDir } = application.folder;
  const migrationsList = await toMigrationList(migrationsDir, migrations);
  const scripts = new Set(migrations.map(({ sql }) => sql));
  const prepare = async (session: SqlDriverAdapter) => {
    leaveLockAlone(session);
    await healInterruptions(session, { scripts, lockTimeoutMs });
  };
  try {
    return await holdingLock(application, () =>
      withSchemaEngine({ databaseUrl, schemaDir, prepare }, async engine => {
        const { appliedMigrationNames } = await engine.applyMigrations({ migrationsList, filters });
        return appliedMigrationNames;
      }),
    );
  } catch (error) {
    if (!(error instanceof SchemaEngineError)) throw error;

    const unfinished = /^The `(\S+)` migration started at .*$/m.exec(error.message);
    if (unfinished)
      throw new MigrationError(
        'failed',
        `A migration of ${service} was not finished. ${unfinished[0]}. Undo what it ` +
          `left, and run 'npm run db:migrate -- resolve ${service} ${unfinished[1]}' to have it applied again`,
        { cause: error },
      );
    const subject = error.migration === undefined ? 'its migrations' : `migration ${error.migration}`;
    throw new MigrationError('failed', `${service} could not apply ${subject}: ${error.message}`, {
      cause: error,
    });
  }
}

/**
 * Holds the lock in a transaction of its own while something runs: behind a pooler, a session's lock would be of whichever
 * connection came by, and would stay there. Left to itself the engine gives up after ten seconds, but goes on waiting in
 * the server.
 */
async function holdingLock<T>(
  { databaseUrl, lockTimeoutMs, folder: { service } }: Application,
  run: () => Promise<T>,
): Promise<T> {
  try {
    return await inTransaction(
      databaseUrl,
      `SET LOCAL lock_timeout = ${lockTimeoutMs}; SET LOCAL idle_in_transaction_session_timeout = 0;
       SELECT pg_advisory_xact_lock(${advisoryLock})`,
      run,
    );
  } catch (cause) {
    // lock_not_available
    if (!hasSqlState(cause, '55P03') && !isPostgresError(cause, '55P03')) throw cause;
    throw new MigrationError(
      'locked',
      `Another process has been migrating the database of ${service} for longer than ${lockTimeoutMs} ms`,
      { cause },
    );
  }
}

/** The lock is held already, and the engine need not take it. */
function leaveLockAlone(session: SqlDriverAdapter): void {
  const executeRaw = session.executeRaw.bind(session);
  session.executeRaw = query =>
    query.sql === `SELECT pg_advisory_lock(${advisoryLock})` ? Promise.resolve(0) : executeRaw(query);
}
