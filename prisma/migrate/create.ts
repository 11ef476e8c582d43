import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { lockFileContent, lockFileName } from '../engine/list.ts';
import type { ServiceFolder } from '../service-folder.ts';
import { findMissingSql } from './check.ts';

/**
 * Writes a migration that brings the folder's migrations to the schema, for review and for what Prisma cannot express
 * (CHECK constraints, triggers). It is not applied.
 *
 * @param name becomes part of the folder's name: lower-case letters, digits and underscores
 * @param databaseUrl any database whose user may create others
 * @returns the new folder's name, or undefined when there is nothing to change
 */
export async function createMigration(
  folder: ServiceFolder,
  name: string,
  databaseUrl: string,
): Promise<string | undefined> {
  if (!/^[a-z0-9_]+$/.test(name))
    throw new Error(
      `a migration's name must have lower-case letters, digits and underscores only; it is "${name}"`,
    );

  const sql = await findMissingSql(folder, databaseUrl);
  if (sql === undefined) return undefined;

  const migration = `${timestamp(new Date())}_${name}`;
  const migrationDir = join(folder.migrationsDir, migration);
  await mkdir(migrationDir, { recursive: true });
  await writeFile(join(migrationDir, 'migration.sql'), sql);
  await writeFile(join(folder.migrationsDir, lockFileName), lockFileContent);
  return migration;
}

/** A time in UTC as Prisma begins a migration's name with it: `20260101120000`. */
function timestamp(time: Date): string {
  return time.toISOString().slice(0, 19).replaceAll(/\D/g, '');
}
