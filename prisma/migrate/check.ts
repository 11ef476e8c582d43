import { filters, withSchemaEngine } from '../engine/engine.ts';
import { toMigrationList } from '../engine/list.ts';
import { readSchema } from '../engine/read-schema.ts';
import type { ServiceFolder } from '../service-folder.ts';
import { readMigrations } from './history.ts';

/**
 * Compares a schema with what its migrations make, in a shadow database. What a schema cannot express (CHECK
 * constraints, triggers) is not compared.
 *
 * @param databaseUrl any database whose user may create others
 * @returns the SQL that the migrations lack, or undefined when they make what the schema says
 */
export async function findMissingSql(
  { schemaDir, migrationsDir }: ServiceFolder,
  databaseUrl: string,
): Promise<string | undefined> {
  const migrationsList = await toMigrationList(migrationsDir, await readMigrations(migrationsDir));
  const from = { tag: 'migrations' as const, ...migrationsList };
  const to = { tag: 'schemaDatamodel' as const, ...(await readSchema(schemaDir)) };
  return await withSchemaEngine({ databaseUrl, schemaDir }, async engine => {
    const { exitCode, stdout } = await engine.diff({ from, to, script: true, exitCode: true, filters });
    return exitCode === 0 ? undefined : (stdout ?? '');
  });
}
