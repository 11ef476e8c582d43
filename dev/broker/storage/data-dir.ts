import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';

const ANSWER_TIMEOUT_MS = 1000;
/** Longest path of a Unix socket, in bytes, on the systems that have the least. */
const MAX_SOCKET_PATH_BYTES = 103;

/** Another broker runs on the data directory. */
export class DataDirInUseError extends Error {
  override readonly name = 'DataDirInUseError';
}

/**
 * Makes the data directory if need be, and takes it for one broker. The lock is a socket that the broker listens on: it
 * ends with its process, whereas a process id may be that of another process later, as in a container or after a reboot.
 *
 * @returns a function that gives the directory back
 * @throws DataDirInUseError when a running broker has it
 */
export async function claimDataDir(
  dataDir: string,
  { host, port }: { host: string; port: number },
): Promise<() => Promise<void>> {
  await mkdir(dataDir, { recursive: true });
  const path = lockPathOf(resolve(dataDir));
  const lock = createServer(socket => void socket.on('error', () => {}).end(`${host}:${port}`)).unref();
  if (!(await tryListen(lock, path))) {
    const owner = await ownerAt(path);
    if (owner !== undefined)
      throw new DataDirInUseError(
        `the embedded broker expected ${dataDir} to be free, but got it used by the one on ${owner}`,
      );
    // A broker that was killed leaves its socket.
    await rm(path, { force: true });
    if (!(await tryListen(lock, path)))
      throw new DataDirInUseError(
        `the embedded broker expected ${dataDir} to be free, but another one starts`,
      );
  }
  return async () => {
    lock.close();
    await once(lock, 'close');
  };
}

/** Path of the lock: in the directory, or where it is too long for a socket, in the system's temporary one. */
function lockPathOf(dataDir: string): string {
  const inside = join(dataDir, 'lock.sock');
  const name = `portico-broker-${createHash('sha256').update(dataDir).digest('hex').slice(0, 16)}`;
  if (process.platform === 'win32') return `\\\\.\\pipe\\${name}`;
  return Buffer.byteLength(inside) <= MAX_SOCKET_PATH_BYTES ? inside : join(tmpdir(), `${name}.sock`);
}

/** @returns false when there is something at the path */
async function tryListen(server: Server, path: string): Promise<boolean> {
  try {
    await once(server.listen(path), 'listening');
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return false;
    throw error;
  }
}

/** Asks the owner of a lock for its address; undefined when nobody listens. One that is frozen does not say it. */
async function ownerAt(path: string): Promise<string | undefined> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
  } catch {
    return undefined;
  }
  try {
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy(new Error('no answer')));
    return await text(socket);
  } catch {
    return 'an unknown address';
  } finally {
    socket.destroy();
  }
}
