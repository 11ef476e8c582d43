import type { ServiceFolder } from '../service-folder.ts';
import { createDatabase } from './database.ts';
import { MigrationError } from './error.ts';
import { type History, readHistory, readMigrations } from './history.ts';

/** Options of a deployment. */
export interface DeployOptions {
  /** Time to wait for another process that migrates the same database. @default 60000 ms */
  lockTimeoutMs?: number;
}

/** Result of a deployment. */
export interface Deployment {
  /** `query`: one query told that nothing was to do. `engine`: the schema engine was loaded. */
  path: 'query' | 'engine';
  /** The names of the migrations that were applied now, in order. */
  applied: string[];
}

/**
 * Applies the migrations that a database lacks, and creates the database when the server does not have it. Histories
 * are those that `prisma migrate deploy` writes and reads. Several processes may deploy at once: one applies, the
 * others wait for it.
 *
 * @throws MigrationError when the database is ahead of the folder or has diverged from it, when an applied migration was
 * edited, when there is no database and the role may not create one, when a migration fails or failed before, and when another process migrates the database for too long
 */
export async function deploy(
  folder: ServiceFolder,
  databaseUrl: string,
  { lockTimeoutMs = 60_000 }: DeployOptions = {},
): Promise<Deployment> {
  const migrations = await readMigrations(folder.migrationsDir);
  const history = await readHistory(migrations, databaseUrl);
  assertDeployable(history, folder.service);
  if (history.state === 'upToDate') return { path: 'query', applied: [] };

  await createDatabase(databaseUrl, folder.service);
  // The engine takes longer to load than an up to date database takes to answer.
  const { applyMigrations } = await import('./apply.ts');
  const applied = await applyMigrations({ folder, migrations, databaseUrl, lockTimeoutMs });
  return { path: 'engine', applied };
}

/** Lets only those histories pass that the engine may go on with; a failed migration may be one that still runs. */
function assertDeployable(history: History, service: string): void {
  switch (history.state) {
    case 'upToDate':
    case 'behind':
    case 'failed':
      return;
    case 'ahead':
      throw new MigrationError(
        'ahead',
        `The database of ${service} is newer than its migrations: it has ${history.unknown.join(', ')}`,
      );
    case 'diverged':
      throw new MigrationError(
        'diverged',
        `The database of ${service} has ${history.unknown.join(', ')}, which are not among its migrations, and lacks ` +
          history.pending.join(', '),
      );
    case 'edited':
      throw new MigrationError(
        'edited',
        `Migrations of ${service} were edited after they had been applied: ${history.edited.join(', ')}`,
      );
    default:
      throw new TypeError(`unknown history ${JSON.stringify(history satisfies never)}`);
  }
}
