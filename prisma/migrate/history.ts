import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasSqlState, runSql } from './database.ts';
import { MigrationError } from './error.ts';

/** A migration of the folder: `<migrationsDir>/<name>/migration.sql`. */
export interface Migration {
  name: string;
  sql: string;
}

/** Relation of a database to a folder of migrations. Names are in the order in which migrations are applied. */
export type History =
  | { state: 'upToDate' }
  | { state: 'behind'; pending: string[] }
  | { state: 'failed'; failed: string[] }
  | { state: 'edited'; edited: string[] }
  | { state: 'ahead'; unknown: string[] }
  | { state: 'diverged'; unknown: string[]; pending: string[] };

/** Fields of a row of the table `_prisma_migrations` that a history needs. */
export interface MigrationRow {
  name: string;
  checksum: string;
  finished: boolean;
}

/**
 * Reads the folder of migrations, in the order in which they are applied.
 *
 * @throws MigrationError `unreadable` when a folder lacks its migration.sql
 */
export async function readMigrations(migrationsDir: string): Promise<Migration[]> {
  const entries = await readdir(migrationsDir, { withFileTypes: true }).catch(() => []);
  const names = entries.filter(entry => entry.isDirectory()).map(entry => entry.name);
  return await Promise.all(
    names.sort().map(async name => {
      const file = join(migrationsDir, name, 'migration.sql');
      const sql = await readFile(file, 'utf8').catch(cause => {
        throw new MigrationError('unreadable', `The migration ${name} has no file ${file}`, {
          cause,
        });
      });
      return { name, sql };
    }),
  );
}

/**
 * Compares a folder of migrations with what a database has applied, by one query and without the schema engine.
 * A database or a table that is not there has applied nothing.
 */
export async function readHistory(migrations: Migration[], databaseUrl: string): Promise<History> {
  try {
    const rows = await runSql<MigrationRow>(
      databaseUrl,
      `SELECT migration_name AS name, checksum, finished_at IS NOT NULL AS finished
       FROM _prisma_migrations WHERE rolled_back_at IS NULL ORDER BY started_at`,
    );
    return compareHistories(migrations, rows);
  } catch (error) {
    // invalid_catalog_name: no such database; undefined_table
    if (hasSqlState(error, '3D000', '42P01')) return compareHistories(migrations, []);

    throw error;
  }
}

/** Compares a folder of migrations with the rows of `_prisma_migrations` that were not rolled back. */
export function compareHistories(migrations: Migration[], rows: MigrationRow[]): History {
  const sqlByName = new Map(migrations.map(({ name, sql }) => [name, sql]));
  const rowNames = new Set(rows.map(row => row.name));
  const pending = migrations.map(migration => migration.name).filter(name => !rowNames.has(name));
  const unknown = rows.map(row => row.name).filter(name => !sqlByName.has(name));
  const failed = rows.filter(row => !row.finished).map(row => row.name);
  const edited = rows
    .filter(row => !isChecksumOf(row.checksum, sqlByName.get(row.name)))
    .map(row => row.name);
  if (unknown.length > 0)
    return pending.length > 0 ? { state: 'diverged', unknown, pending } : { state: 'ahead', unknown };

  if (failed.length > 0) return { state: 'failed', failed };

  if (edited.length > 0) return { state: 'edited', edited };

  return pending.length > 0 ? { state: 'behind', pending } : { state: 'upToDate' };
}

/** Computes the checksum of a migration as Prisma does: SHA-256 in hexadecimal. */
export function checksum(sql: string): string {
  return createHash('sha256').update(sql).digest('hex');
}

/** Tells whether a checksum is that of a script; like Prisma, in spite of line ends that Git may have changed. */
function isChecksumOf(expected: string, sql = ''): boolean {
  const withLf = sql.replaceAll('\r\n', '\n');
  return [sql, withLf, withLf.replaceAll('\n', '\r\n')].some(variant => checksum(variant) === expected);
}
