import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, open, rm } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';

const answerTimeoutMs = 1000;
/** Longest path of a Unix socket, in bytes, on the systems that have the least. */
const maxSocketPathBytes = 103;

const lockName = 'lock.sock';

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
  const { path, leave } = await lockPathOf(resolve(dataDir));
  const lock = createServer(socket => void socket.on('error', () => {}).end(`${host}:${port}`)).unref();
  try {
    await claim(lock, path, dataDir);
  } catch (error) {
    await leave();
    throw error;
  }
  return async () => {
    lock.close();
    await once(lock, 'close');
    await leave();
  };
}

async function claim(lock: Server, path: string, dataDir: string): Promise<void> {
  if (await tryListen(lock, path)) return;
  const owner = await ownerAt(path);
  if (owner !== undefined)
    throw new DataDirInUseError(`${dataDir} is used by the embedded broker on ${owner}`);
  // A broker that was killed leaves its socket.
  await rm(path, { force: true });
  if (!(await tryListen(lock, path)))
    throw new DataDirInUseError(`${dataDir} is used by another embedded broker, which is starting`);
}

interface LockPath {
  readonly path: string;
  /** Gives back what the path needs for as long as it is used. */
  readonly leave: () => Promise<void>;
}

/**
 * Path of the lock, in the directory. Where that is too long for a socket, Linux has a short one for an open directory; other
 * systems lock in their folder for temporary files.
 */
async function lockPathOf(dataDir: string): Promise<LockPath> {
  const inside = join(dataDir, lockName);
  const name = `portico-broker-${createHash('sha256').update(dataDir).digest('hex').slice(0, 16)}`;
  const leave = async () => {};
  if (process.platform === 'win32') return { path: `\\\\.\\pipe\\${name}`, leave };
  if (Buffer.byteLength(inside) <= maxSocketPathBytes) return { path: inside, leave };
  if (process.platform !== 'linux') return { path: join(tmpdir(), `${name}.sock`), leave };
  const directory = await open(dataDir, 'r');
  return { path: `/proc/self/fd/${directory.fd}/${lockName}`, leave: () => directory.close() };
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
    socket.setTimeout(answerTimeoutMs, () => socket.destroy(new Error('no answer')));
    return await text(socket);
  } catch {
    return 'an unknown address';
  } finally {
    socket.destroy();
  }
}
