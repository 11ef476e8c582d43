import { withSchemaEngine } from '../engine/engine.ts';
import type { ServiceFolder } from '../service-folder.ts';

/**
 * Marks a failed migration as rolled back, so that the next deployment applies it again. A migration runs in one
 * transaction unless its SQL ends that itself; then its traces have to be removed by hand first.
 *
 * @throws SchemaEngineError when the migration is not a failed one
 */
export async function markRolledBack(
  { schemaDir }: ServiceFolder,
  migrationName: string,
  databaseUrl: string,
): Promise<void> {
  await withSchemaEngine({ databaseUrl, schemaDir }, engine =>
    engine.markMigrationRolledBack({ migrationName }),
  );
}
