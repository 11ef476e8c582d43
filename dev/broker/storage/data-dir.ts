import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { readIfPresent, replaceFile } from './files.ts';

/** The process that uses a data directory, and where it listens. */
interface Owner {
  pid: number;
  host: string;
  port: number;
}

const CONNECT_TIMEOUT_MS = 1000;

/** Another broker runs on the data directory. */
export class DataDirInUseError extends Error {
  override readonly name = 'DataDirInUseError';
}

/**
 * Makes the data directory if need be, and takes it for one broker, which listens already. A broker that was killed is
 * told from one that runs by its process and its port.
 *
 * @returns what gives the directory back
 * @throws DataDirInUseError when a running broker has it
 */
export async function claimDataDir(
  dataDir: string,
  address: { host: string; port: number },
): Promise<() => Promise<void>> {
  await mkdir(dataDir, { recursive: true });
  const path = join(dataDir, 'owner.json');
  const stored = await readIfPresent(path);
  const owner: Owner | undefined = stored ? JSON.parse(stored) : undefined;
  if (owner && isAlive(owner.pid) && (await isListening(owner))) {
    throw new DataDirInUseError(
      `the embedded broker expected ${dataDir} to be free, but got it used by the one on ${owner.host}:${owner.port}`,
    );
  }
  await replaceFile(path, JSON.stringify({ pid: process.pid, ...address } satisfies Owner));
  return () => rm(path, { force: true });
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function isListening({ host, port }: Owner): Promise<boolean> {
  const socket = connect({ host, port });
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(CONNECT_TIMEOUT_MS) });
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
