import { databaseUrlVariable, type ServiceName } from '../../services.ts';
import { startScratchPostgres } from '../postgres/scratch.ts';
import { grantRows } from '../roles/grant.ts';
import {
  databaseUrl,
  hasDatabaseUrl,
  parseService,
  parseServices,
  repositoryDir,
  serviceFolder,
  serviceRole,
} from '../service-folder.ts';
import { findMissingSql } from './check.ts';
import { createMigration } from './create.ts';
import { deploy } from './deploy.ts';
import { markRolledBack } from './resolve.ts';
import { describeStatus, readStatus } from './status.ts';

const usage = `usage: migrate <command>
  create <service> <name>        write a migration that brings the history to the schema
  deploy [service...]            apply what the databases lack
  status [service...]            tell how the databases stand; fails unless all are up to date
  check [service...]             fail when schemas and migrations differ
  resolve <service> <migration>  mark a failed migration as rolled back, so that it is applied again

The databases are named by ${databaseUrlVariable('products')} and so on. When one is not named, create and check
use an empty PostgreSQL of their own. Where PRODUCTS_DATABASE_ROLE and so on name a service's role, deploy lets it read and
write rows.`;

/** Runs a command with the rest of its line, on the services under `rootDir`, and tells whether all is well. */
type Command = (args: string[], rootDir: string) => Promise<boolean>;

const commandByName = new Map<string | undefined, Command>([
  ['create', runCreate],
  ['deploy', runDeploy],
  ['status', runStatus],
  ['check', runCheck],
  ['resolve', runResolve],
]);

/**
 * Runs the command line of the migrations and prints what was done.
 *
 * @param rootDir holds `prisma/<service>/`. @default the repository
 * @returns whether all is well, which is what the exit code tells
 * @throws Error with the usage when there is no such command
 */
export async function runCommandLine(
  [name, ...args]: string[],
  rootDir: string = repositoryDir,
): Promise<boolean> {
  const command = commandByName.get(name);
  if (command === undefined) throw new Error(usage);

  return await command(args, rootDir);
}

async function runCreate([serviceName, name = '']: string[], rootDir: string): Promise<boolean> {
  const service = parseService(serviceName);
  return await withDatabases([service], async url => {
    const created = await createMigration(serviceFolder(service, rootDir), name, url);
    report(service, created === undefined ? 'nothing to change' : `created ${created}`);
    return true;
  });
}

async function runDeploy(names: string[], rootDir: string): Promise<boolean> {
  const targets = parseServices(names).map(service => ({ service, url: databaseUrl(service) }));
  for (const { service, url } of targets) {
    const { applied } = await deploy(serviceFolder(service, rootDir), url);
    report(service, applied.length === 0 ? 'up to date' : `applied ${applied.join(', ')}`);
    const role = serviceRole(service);
    if (role === undefined) continue;
    await grantRows(url, role);
    report(service, `${role} reads and writes rows`);
  }
  return true;
}

async function runStatus(names: string[], rootDir: string): Promise<boolean> {
  let allUpToDate = true;
  for (const service of parseServices(names)) {
    const status = await readStatus(serviceFolder(service, rootDir), databaseUrl(service));
    report(service, describeStatus(status));
    allUpToDate &&= status.history.state === 'upToDate' && status.drift === undefined;
  }
  return allUpToDate;
}

async function runCheck(names: string[], rootDir: string): Promise<boolean> {
  return await withDatabases(parseServices(names), async (url, service) => {
    const missingSql = await findMissingSql(serviceFolder(service, rootDir), url);
    report(
      service,
      missingSql === undefined ? 'the migrations make the schema' : `the migrations lack\n${missingSql}`,
    );
    return missingSql === undefined;
  });
}

async function runResolve([serviceName, migration = '']: string[], rootDir: string): Promise<boolean> {
  const service = parseService(serviceName);
  await markRolledBack(serviceFolder(service, rootDir), migration, databaseUrl(service));
  report(service, `${migration} counts as rolled back`);
  return true;
}

/** Runs `use` for each service with its database, or all with a scratch one when a database is not named. */
async function withDatabases(
  services: readonly ServiceName[],
  use: (url: string, service: ServiceName) => Promise<boolean>,
): Promise<boolean> {
  const useEach = async (scratchUrl?: string) => {
    let allWell = true;
    for (const service of services) {
      const isWell = await use(scratchUrl ?? databaseUrl(service), service);
      allWell &&= isWell;
    }
    return allWell;
  };
  if (services.every(hasDatabaseUrl)) return await useEach();

  const scratch = await startScratchPostgres();
  try {
    return await useEach(scratch.url);
  } finally {
    await scratch.close();
  }
}

function report(service: ServiceName, message: string): void {
  console.log(`${service}: ${message}`);
}
