import { bindMigrationAwareSqlAdapterFactory, type SqlDriverAdapter } from '@prisma/driver-adapter-utils';
import type { SchemaEngine } from '@prisma/schema-engine-wasm';
import { connectAdapter } from './adapter.ts';
import { toSchemaEngineError } from './error.ts';
import { loadSchemaEngine } from './load.ts';
import { readSchema } from './read-schema.ts';
import { connectShadowDatabase } from './shadow.ts';

/** Tables and enums that the engine is to leave to somebody else: none. */
export const filters = { externalTables: [], externalEnums: [] };

/** Database that the schema engine works on. */
export interface EngineTarget {
  databaseUrl: string;
  /** Holds the schema's files, `*.prisma`. */
  schemaDir: string;
  /** Readies the engine's own session. @default nothing is done */
  prepare?: (session: SqlDriverAdapter) => Promise<void>;
}

/**
 * Runs Prisma's schema engine on a database, and gives back all that it took: memory, connections, shadow databases.
 *
 * @returns what `use` returns
 * @throws SchemaEngineError when the engine or its connection fails
 */
export async function withSchemaEngine<Result>(
  { databaseUrl, schemaDir, prepare }: EngineTarget,
  use: (engine: SchemaEngine) => Promise<Result>,
): Promise<Result> {
  const Engine = await loadSchemaEngine();
  const { files } = await readSchema(schemaDir);
  const datamodels = files.map((file): [string, string] => [file.path, file.content]);
  const session = await connectAdapter(databaseUrl);
  const opened = [session];
  const factory = bindMigrationAwareSqlAdapterFactory({
    provider: session.provider,
    adapterName: session.adapterName,
    connect: async () => session,
    connectToShadowDb: async () => {
      const shadow = await connectShadowDatabase(databaseUrl);
      opened.push(shadow);
      return shadow;
    },
  });
  try {
    await prepare?.(session);
    const engine = await Engine.new({ datamodels }, () => {}, factory);
    return await use(engine).finally(() => engine.free());
  } catch (error) {
    throw isEngineError(error) ? toSchemaEngineError(error, factory.errorRegistry) : error;
  } finally {
    await Promise.all(opened.map(adapter => adapter.dispose()));
  }
}

/** The engine's errors come out of WebAssembly, where they are told from others by name only. */
function isEngineError(error: unknown): boolean {
  return error instanceof Error && error.name === 'SchemaConnectorError';
}
