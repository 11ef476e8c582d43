import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readSetting } from '../platform/setting.ts';
import { databaseUrlVariable, type ServiceName, serviceNames } from '../services.ts';

/** Absolute paths of a service's schema, migrations and generated client. */
export interface ServiceFolder {
  service: ServiceName;
  /** Its files `*.prisma` are the service's schema, its own and those that link to a table of the platform. */
  schemaDir: string;
  migrationsDir: string;
  clientDir: string;
}

/** The repository's root folder: an absolute path. */
export const repositoryDir = dirname(dirname(fileURLToPath(import.meta.url)));

/** Finds what belongs to a service: `prisma/<service>/` and `subgraphs/<service>/generated/prisma/` under a root. */
export function serviceFolder(service: ServiceName, rootDir: string = repositoryDir): ServiceFolder {
  return {
    service,
    schemaDir: join(rootDir, 'prisma', service),
    migrationsDir: join(rootDir, 'prisma', service, 'migrations'),
    clientDir: join(rootDir, 'subgraphs', service, 'generated', 'prisma'),
  };
}

/**
 * Reads a service's database URL from the environment: `ORDERS_DATABASE_URL`, or the file `ORDERS_DATABASE_URL_FILE`.
 *
 * @throws Error when the variable is missing or empty, or its file cannot be read.
 */
export function databaseUrl(service: ServiceName, env: NodeJS.ProcessEnv = process.env): string {
  const variable = databaseUrlVariable(service);
  const url = readSetting(variable, env);
  if (!url) throw new Error(`${variable} is not set; set it to the PostgreSQL URL of ${service}`);

  return url;
}

/** Tells whether the environment names a service's database. */
export function hasDatabaseUrl(service: ServiceName): boolean {
  return readSetting(databaseUrlVariable(service), process.env) !== undefined;
}

/** Reads the role that a service has in its database, where it is not the owner: `ORDERS_DATABASE_ROLE` for orders. */
export function serviceRole(service: ServiceName, env: NodeJS.ProcessEnv = process.env): string | undefined {
  return readSetting(databaseUrlVariable(service).replace(/URL$/, 'ROLE'), env);
}

/**
 * Reads service names from a command line; none given means all of them.
 *
 * @throws Error when a name is not a service's.
 */
export function parseServices(names: string[]): readonly ServiceName[] {
  return names.length === 0 ? serviceNames : names.map(parseService);
}

/**
 * Reads one service name from a command line.
 *
 * @throws Error when it is missing or not a service's.
 */
export function parseService(name: string | undefined): ServiceName {
  const service = serviceNames.find(known => known === name);
  if (service === undefined)
    throw new Error(`name one of ${serviceNames.join(', ')}; ${name ?? 'nothing'} is none of them`);

  return service;
}
