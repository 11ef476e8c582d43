import { filters, withSchemaEngine } from '../engine/engine.ts';
import { toMigrationList } from '../engine/list.ts';
import type { ServiceFolder } from '../service-folder.ts';
import { type History, readHistory, readMigrations } from './history.ts';

/** Relation of a database to its folder of migrations, and to what they make. */
export interface MigrationStatus {
  history: History;
  /** Difference between the database's tables and those that its migrations make; undefined when there is none. */
  drift: string | undefined;
}

/**
 * Looks at a database without changing it. Its user has to be allowed to create databases: what the migrations make is
 * seen in a shadow database. Drift is looked for only when the history is sound.
 */
export async function readStatus(
  { schemaDir, migrationsDir }: ServiceFolder,
  databaseUrl: string,
): Promise<MigrationStatus> {
  const migrations = await readMigrations(migrationsDir);
  const history = await readHistory(migrations, databaseUrl);
  if (history.state !== 'upToDate') return { history, drift: undefined };

  const migrationsList = await toMigrationList(migrationsDir, migrations);
  const { action } = await withSchemaEngine({ databaseUrl, schemaDir }, engine =>
    engine.devDiagnostic({ migrationsList, filters }),
  );
  return { history, drift: action.tag === 'reset' ? action.reason : undefined };
}

/** Tells a status in a sentence. */
export function describeStatus({ history, drift }: MigrationStatus): string {
  switch (history.state) {
    case 'upToDate':
      return drift === undefined ? 'up to date' : `applied every migration, but has changed since. ${drift}`;
    case 'behind':
      return `has not applied ${history.pending.join(', ')}`;
    case 'failed':
      return `stopped in ${history.failed.join(', ')}, which failed or still runs`;
    case 'edited':
      return `applied another text of ${history.edited.join(', ')}`;
    case 'ahead':
      return `applied ${history.unknown.join(', ')}, which the folder does not have`;
    case 'diverged':
      return `applied ${history.unknown.join(', ')}, which the folder does not have, and not ${history.pending.join(', ')}`;
    default:
      throw new TypeError(`unknown history ${JSON.stringify(history satisfies never)}`);
  }
}
