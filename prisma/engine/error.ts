import type { ErrorRegistry } from '@prisma/driver-adapter-utils';

/** An error of Prisma's schema engine, without the trace of the engine's own calls that ends its message. */
export class SchemaEngineError extends Error {
  override name = 'SchemaEngineError';
  /** The migration that was being applied, when there was one. */
  readonly migration: string | undefined;

  constructor(message: string, migration: string | undefined, cause: unknown) {
    super(message, { cause });
    this.migration = migration;
  }
}

/**
 * Puts what the engine threw into words for a reader.
 *
 * @param registry where the adapter left those errors that the engine knows by number only
 */
export function toSchemaEngineError(thrown: unknown, registry: ErrorRegistry): SchemaEngineError {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const number = /External error id#(\d+)/.exec(message)?.[1];
  const registered = number === undefined ? undefined : registry.consumeError(Number(number))?.error;
  const [reason = message] = (registered instanceof Error ? registered.message : message).split(/^\s+0: /m);
  const migration = /migration_name="([^"]+)"/.exec(message)?.[1];
  return new SchemaEngineError(
    reason.replaceAll(/^external connector error\n|^Error querying the database: /gm, '').trim(),
    migration,
    registered ?? thrown,
  );
}
