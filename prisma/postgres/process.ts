import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Account } from './account.ts';
import { parentMark } from './orphan.ts';

/** Longest time that a server may take to end its sessions and write its memory to disk before it is told to end at once, in ms. */
const stopTimeoutMs = 30_000;

/** Options of a server process. */
export interface ServerProcessOptions {
  /** Path of the program `postgres`. */
  program: string;
  dataDir: string;
  port: number;
  account: Account;
  log: (line: string) => void;
}

/** A server process that accepts connections. */
export interface ServerProcess {
  exited: Promise<void>;
  close(): Promise<void>;
}

/** Another process listens on the port that PostgreSQL was to have. */
export class PortTakenError extends Error {
  override name = 'PortTakenError';

  constructor(port: number) {
    super(`Port ${port} of 127.0.0.1 is taken by another process; PostgreSQL needs it`);
  }
}

/**
 * Starts `postgres` on an initialised data directory and waits until it accepts connections.
 *
 * @throws PortTakenError when another process has the port
 * @throws Error with the server's last words when it ends instead
 */
export async function spawnServer(options: ServerProcessOptions): Promise<ServerProcess> {
  const { program, dataDir, port, account, log } = options;
  const child = spawn(program, serverArguments(dataDir, port), {
    ...account,
    cwd: dataDir,
    env: { ...process.env, LC_ALL: 'C' },
    stdio: ['ignore', 'ignore', 'pipe'],
    // In a process group of its own, so that Ctrl-C in a terminal does not end the server before those who use it.
    detached: true,
  });
  const killAtExit = () => child.kill('SIGINT');
  process.once('exit', killAtExit);
  const exited = new Promise<void>(done => child.once('close', () => done())).finally(() =>
    process.off('exit', killAtExit),
  );
  await waitUntilReady({ child, port, log });
  let closing: Promise<void> | undefined;
  return {
    exited,
    close: () => {
      closing ??= stop(child, exited);
      return closing;
    },
  };
}

function serverArguments(dataDir: string, port: number): string[] {
  const settings = [
    parentMark(process.pid),
    'cluster_name=portico',
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    'max_connections=200',
    'shared_buffers=64MB',
    'max_wal_size=256MB',
    'lc_messages=C',
  ];
  return ['-D', dataDir, '-p', String(port), ...settings.flatMap(setting => ['-c', setting])];
}

/** Follows the server's log until it tells that it accepts connections, and passes every line on. */
function waitUntilReady({
  child,
  port,
  log,
}: {
  child: ChildProcess;
  port: number;
  log: (line: string) => void;
}): Promise<void> {
  const { stderr } = child;
  if (stderr === null) throw new TypeError('PostgreSQL has no pipe for its log');

  return new Promise((ready, fail) => {
    const lastWords: string[] = [];
    let starting = true;
    createInterface(stderr).on('line', line => {
      log(line);
      if (starting) lastWords.push(line);

      if (line.endsWith('database system is ready to accept connections')) {
        starting = false;
        ready();
      }
    });
    child.once('error', error => fail(new Error('PostgreSQL could not be started', { cause: error })));
    child.once('close', () => {
      const portTaken = lastWords.some(line => line.includes('could not bind'));
      fail(
        portTaken
          ? new PortTakenError(port)
          : new Error(`PostgreSQL ended while it was starting:\n${lastWords.join('\n')}`),
      );
    });
  });
}

/** Shuts down "fast": open transactions are rolled back and memory is written to disk. */
async function stop(child: ChildProcess, exited: Promise<void>): Promise<void> {
  child.kill('SIGINT');
  // "Immediate" shutdown loses nothing either: the next start recovers from the write-ahead log.
  const deadline = setTimeout(() => child.kill('SIGQUIT'), stopTimeoutMs);
  await exited;
  clearTimeout(deadline);
}
