import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The services that own a database, in the order that commands treat them. */
export const serviceNames = ['products', 'inventory', 'orders', 'notifications'] as const;

/** A service that owns a database, a schema, a history of migrations and a generated client. */
export type ServiceName = (typeof serviceNames)[number];

/** Where a service keeps its schema and migrations, and where its generated client goes: absolute paths. */
export interface ServiceFolder {
  service: ServiceName;
  schemaFile: string;
  migrationsDir: string;
  clientDir: string;
}

/** The repository's root folder: an absolute path. */
export const repositoryDir = dirname(dirname(fileURLToPath(import.meta.url)));

/** Finds what belongs to a service: `prisma/<service>/` and `subgraphs/<service>/generated/prisma/` under a root. */
export function serviceFolder(service: ServiceName, rootDir: string = repositoryDir): ServiceFolder {
  return {
    service,
    schemaFile: join(rootDir, 'prisma', service, 'schema.prisma'),
    migrationsDir: join(rootDir, 'prisma', service, 'migrations'),
    clientDir: join(rootDir, 'subgraphs', service, 'generated', 'prisma'),
  };
}

/**
 * Names the environment variable that holds a service's database URL: `ORDERS_DATABASE_URL` for orders.
 * The URL has the form `postgresql://user:password@host:port/database`.
 */
export function databaseUrlVariable(service: ServiceName): string {
  return `${service.toUpperCase()}_DATABASE_URL`;
}

/**
 * Reads a service's database URL from the environment.
 *
 * @throws Error when the variable is missing or empty.
 */
export function databaseUrl(service: ServiceName, env: NodeJS.ProcessEnv = process.env): string {
  const variable = databaseUrlVariable(service);
  const url = env[variable];
  if (!url) {
    throw new Error(`${service} expected a PostgreSQL URL in ${variable}, but got none`);
  }
  return url;
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
  if (service === undefined) {
    throw new Error(`expected one of ${serviceNames.join(', ')}, but got ${name ?? 'nothing'}`);
  }
  return service;
}
