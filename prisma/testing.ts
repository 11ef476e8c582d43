import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServiceName } from '../services.ts';
import { deployMigrations } from './migrate.ts';
import { startScratchPostgres } from './postgres/scratch.ts';
import { type ServiceFolder, serviceFolder } from './service-folder.ts';

/** For tests: the service orders in a temporary folder, with a schema and migrations of its own. */
export interface TestService {
  /** Holds `prisma/orders/`. */
  rootDir: string;
  folder: ServiceFolder;
  /** Writes a schema for PostgreSQL with these models. */
  writeSchema(models: string): Promise<void>;
  writeMigration(name: string, sql: string): Promise<void>;
  removeMigration(name: string): Promise<void>;
  remove(): Promise<void>;
}

/** Creates a service for a test: no models and no migrations at first. */
export async function createTestService(): Promise<TestService> {
  const rootDir = await mkdtemp(join(tmpdir(), 'portico-test-'));
  const folder = serviceFolder('orders', rootDir);
  const migrationDir = (name: string) => join(folder.migrationsDir, name);
  const writeSchema = async (models: string) => {
    await mkdir(folder.schemaDir, { recursive: true });
    await writeFile(
      join(folder.schemaDir, 'schema.prisma'),
      `datasource db {\n  provider = "postgresql"\n}\n${models}`,
    );
  };
  await writeSchema('');
  return {
    rootDir,
    folder,
    writeSchema,
    writeMigration: async (name, sql) => {
      await mkdir(migrationDir(name), { recursive: true });
      await writeFile(join(migrationDir(name), 'migration.sql'), sql);
    },
    removeMigration: name => rm(migrationDir(name), { recursive: true }),
    remove: () => rm(rootDir, { recursive: true }),
  };
}

/** For tests: names a database of a server by a URL. */
export function withDatabase(serverUrl: string, database: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${database}`;
  return url.href;
}

/** For tests: starts a PostgreSQL of its own with the databases of these services. */
export async function startServiceDatabases<Name extends ServiceName>(
  ...services: readonly Name[]
): Promise<{ readonly urls: Readonly<Record<Name, string>>; close(): Promise<void> }> {
  const server = await startScratchPostgres();
  const urls = Object.fromEntries(
    services.map(service => [service, withDatabase(server.url, service)]),
  ) as Record<Name, string>;
  await Promise.all(services.map(service => deployMigrations({ service, databaseUrl: urls[service] })));
  return { urls, close: () => server.close() };
}
