import { execFile } from 'node:child_process';
import { realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { rootDir } from '../../dev/settings.ts';
import { databaseUrlVariable, type ServiceName, serviceNames } from '../../services.ts';
import { findProgram } from '../helpers/programs.ts';

const run = promisify(execFile);

/** Databases of a server by the service that owns each. */
export type DatabaseUrls = Readonly<Record<ServiceName, string>>;

/** A way to copy the databases of a running server, as docs/recovery.md describes it. */
export interface BackupMethod {
  readonly name: string;
  /** Reason why it cannot be tried here. */
  readonly missing?: string | undefined;
  /** Writes a copy of every database into a folder. */
  backUp(urls: DatabaseUrls, folder: string): Promise<void>;
  /** Makes the databases of an empty server from such a copy. */
  restore(urls: DatabaseUrls, folder: string): Promise<void>;
}

/** Major version of the embedded PostgreSQL: a `pg_dump` that is older refuses it. */
const serverMajor = 18;

/** Tables of each service, those that others refer to first. */
const tables: Readonly<Record<string, readonly string[]>> = {
  products: ['products'],
  inventory: ['stock', 'restocks', 'reservations', 'reservation_lines'],
  orders: ['orders', 'order_lines', 'outbox_events'],
  notifications: ['feeds', 'notifications'],
};

/** Statements that set the sequences of a service's tables behind what was copied: COPY leaves them where they were. */
const sequences: Partial<Readonly<Record<ServiceName, readonly string[]>>> = {
  orders: [
    `SELECT setval('outbox_events_sequence_seq', (SELECT coalesce(max(sequence), 0) + 1 FROM outbox_events), false)`,
  ],
};

function tablesOf(service: ServiceName): readonly string[] {
  const found = tables[service];
  if (!found) throw new Error(`The tables of ${service} are not listed here; a copy would lack them`);
  return found;
}

/** Looks for the tools of each method. */
export async function findMethods(): Promise<readonly BackupMethod[]> {
  return [
    { name: 'pg_dump', missing: await missingDump(), backUp: dumpAll, restore: restoreAll },
    {
      name: 'COPY',
      missing: findProgram('psql') ? undefined : 'psql is not installed (apt-get install postgresql-client)',
      backUp: copyOut,
      restore: copyIn,
    },
  ];
}

async function missingDump(): Promise<string | undefined> {
  const program = findProgram('pg_dump');
  if (!program || !findProgram('pg_restore')) return 'pg_dump and pg_restore are not installed';
  const { stdout } = await run(program, ['--version']);
  const major = Number(/ (\d+)/.exec(stdout)?.[1]);
  if (major >= serverMajor) return undefined;
  return `pg_dump is of version ${major}, and PostgreSQL ${serverMajor} needs one that is no older`;
}

async function dumpAll(urls: DatabaseUrls, folder: string): Promise<void> {
  for (const name of serviceNames)
    await run('pg_dump', ['--format=custom', `--file=${join(folder, `${name}.dump`)}`, urls[name]]);
}

async function restoreAll(urls: DatabaseUrls, folder: string): Promise<void> {
  for (const name of serviceNames) {
    const server = new URL(urls[name]);
    server.pathname = '/postgres';
    const dump = join(folder, `${name}.dump`);
    await run('pg_restore', ['--create', '--exit-on-error', `--dbname=${server.href}`, dump]);
  }
}

async function copyOut(urls: DatabaseUrls, folder: string): Promise<void> {
  for (const name of serviceNames)
    await psql(urls[name], [
      'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
      ...tablesOf(name).map(table => `\\copy ${table} TO '${join(folder, `${name}.${table}`)}'`),
    ]);
}

async function copyIn(urls: DatabaseUrls, folder: string): Promise<void> {
  const env = Object.fromEntries(serviceNames.map(name => [databaseUrlVariable(name), urls[name]]));
  await run(process.execPath, ['--import', 'tsx', 'prisma/migrate.ts', 'deploy'], {
    cwd: rootDir,
    env: { ...process.env, ...env },
  });
  for (const name of serviceNames)
    await psql(urls[name], [
      'BEGIN',
      ...tablesOf(name).map(table => `\\copy ${table} FROM '${join(folder, `${name}.${table}`)}'`),
      ...(sequences[name] ?? []),
      'COMMIT',
    ]);
}

async function psql(url: string, commands: readonly string[]): Promise<void> {
  await run('psql', [
    '--no-psqlrc',
    '--quiet',
    '--set=ON_ERROR_STOP=1',
    ...commands.flatMap(command => ['--command', command]),
    url,
  ]);
}

/** Removes a data folder, also one that is a link to another place. */
export async function loseFolder(folder: string): Promise<void> {
  await rm(await realpath(folder), { recursive: true });
  await rm(folder, { force: true });
}
