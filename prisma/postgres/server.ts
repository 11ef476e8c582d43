import { mkdir, realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { freePort } from '../../platform/free-port.ts';
import { chooseAccount } from './account.ts';
import { findPostgresBinaries } from './binaries.ts';
import { initialiseCluster } from './cluster.ts';
import { stopOrphan } from './orphan.ts';
import { PortTakenError, type ServerProcess, spawnServer } from './process.ts';
import { reachableData, reachablePrograms } from './reachable.ts';

/** Number of attempts to find a port that no other process takes before PostgreSQL does. */
const maxPortAttempts = 5;

/** Options of `startPostgres`. */
export interface PostgresOptions {
  /**
   * Where the data is kept. Created when missing; root gives a new one to the account `postgres` or else `nobody`, and makes it
   * a link to another place when that account may not enter the folder.
   */
  dataDir: string;
  /** A port on 127.0.0.1; 0 takes a free one. */
  port: number;
  /** Gets what the server and its start-up report, a line at a time. @default nothing is reported */
  log?: (line: string) => void;
  /** Time to wait for a server that another process runs on the same data, and may be about to stop. @default 10000 ms */
  releaseTimeoutMs?: number;
}

/** A running server. */
export interface PostgresServer {
  /** Of the superuser and the maintenance database: `postgresql://postgres@127.0.0.1:<port>/postgres`. */
  url: string;
  port: number;
  /** Folder of the data, without links. */
  dataDir: string;
  /** Resolves when the server has ended, by `close()` or by itself. */
  exited: Promise<void>;
  /** Ends open sessions, writes everything to disk and waits until the server has ended. Idempotent. */
  close(): Promise<void>;
}

/**
 * Starts a real PostgreSQL for development and tests, reachable from this machine only and without a password.
 * Settings are those of a small machine; durability is left as it is: what was committed survives a crash.
 * A server that an earlier, killed process left running on the same data is stopped first.
 *
 * @throws PortTakenError when another process has the port
 * @throws Error when the data is in use, is not PostgreSQL's or comes from another major version
 */
export async function startPostgres({
  dataDir,
  port,
  log = () => {},
  releaseTimeoutMs = 10_000,
}: PostgresOptions): Promise<PostgresServer> {
  const wanted = await resolveDirectory(dataDir);
  const account = await chooseAccount(wanted);
  const binaries = await reachablePrograms(findPostgresBinaries(), account);
  const directory = await reachableData(wanted, account, log);
  if (await initialiseCluster(directory, binaries, account)) log(`initialised ${directory}`);

  const orphan = await stopOrphan(directory, releaseTimeoutMs);
  if (orphan !== undefined)
    log(`stopped process ${orphan}, which a killed process had left running on ${directory}`);

  const launch = (at: number) =>
    spawnServer({ program: binaries.postgres, dataDir: directory, port: at, account, log });
  const { server, port: boundPort } = await (port === 0
    ? launchOnFreePort(launch)
    : launch(port).then(started => ({ server: started, port })));
  return {
    ...server,
    port: boundPort,
    dataDir: directory,
    url: `postgresql://postgres@127.0.0.1:${boundPort}/postgres`,
  };
}

/** Resolves links, so that one directory has one name: on the server's command line and in the search for orphans. */
async function resolveDirectory(dataDir: string): Promise<string> {
  const absolute = resolve(dataDir);
  await mkdir(dirname(absolute), { recursive: true });
  return await realpath(absolute).catch(async () =>
    join(await realpath(dirname(absolute)), basename(absolute)),
  );
}

async function launchOnFreePort(
  launch: (port: number) => Promise<ServerProcess>,
): Promise<{ server: ServerProcess; port: number }> {
  for (let attempt = 1; ; attempt++) {
    // PostgreSQL itself cannot listen on "any".
    const port = await freePort();
    try {
      return { server: await launch(port), port };
    } catch (error) {
      if (!(error instanceof PortTakenError) || attempt === maxPortAttempts) throw error;
    }
  }
}
