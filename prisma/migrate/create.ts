import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { filters, readSchema, withSchemaEngine } from '../engine/engine.ts';
import { lockFileContent, lockFileName, toMigrationList } from '../engine/list.ts';
import type { ServiceFolder } from '../services.ts';
import { MigrationError } from './error.ts';
import { readMigrations } from './history.ts';

/**
 * Writes a migration that brings the folder's migrations to the schema, for review and for what Prisma cannot express
 * (CHECK constraints, triggers). It is not applied.
 *
 * @param name becomes part of the folder's name: lower-case letters, digits and underscores
 * @param databaseUrl a database to compare with, or an empty one; its user may create databases
 * @returns the new folder's name, or undefined when there is nothing to change
 * @throws MigrationError `drift` when the database is not what its migrations make
 */
export async function createMigration(
  { service, schemaFile, migrationsDir }: ServiceFolder,
  name: string,
  databaseUrl: string,
): Promise<string | undefined> {
  if (!/^[a-z0-9_]+$/.test(name)) {
    throw new Error(
      `a migration's name expected lower-case letters, digits and underscores, but got "${name}"`,
    );
  }
  const migrationsList = await toMigrationList(migrationsDir, await readMigrations(migrationsDir));
  const schema = await readSchema(schemaFile);
  const migration = await withSchemaEngine({ databaseUrl, schemaFile }, async engine => {
    // Fault 4: through an adapter, `createMigration` has no shadow database to replay the history in. It reads what this
    // call has left in the engine's cache.
    const { action } = await engine.devDiagnostic({ migrationsList, filters });
    if (action.tag === 'reset') {
      throw new MigrationError(
        'drift',
        `${service} expected a database as its migrations make it, but got: ${action.reason}`,
      );
    }
    return await engine.createMigration({
      draft: true,
      migrationName: name,
      migrationsList,
      schema,
      filters,
    });
  });
  const { migrationScript, generatedMigrationName } = migration;
  if (migrationScript === null || isEmptyScript(migrationScript)) {
    return undefined;
  }
  const folder = join(migrationsDir, generatedMigrationName);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'migration.sql'), migrationScript);
  await writeFile(join(migrationsDir, lockFileName), lockFileContent);
  return generatedMigrationName;
}

/** Tells whether a script holds nothing but comments. */
function isEmptyScript(sql: string): boolean {
  return sql.replaceAll(/^--.*$/gm, '').trim() === '';
}
