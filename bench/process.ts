import { type ChildProcess, type Serializable, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** A process of the bench: a server under measurement, or what stands at its ends. */
export interface BenchProcess {
  readonly pid: number;
  send(message: Serializable): void;
  on(type: string, listen: (message: Record<string, unknown>) => void): void;
  /** The next message of a type. @throws Error when the process ends before it */
  next<T>(type: string): Promise<T>;
  stop(): Promise<void>;
  /** Tells the usage of a program that can't be asked by a message, since it is not ours to load something into. */
  readonly usage?: () => Promise<Usage>;
}

/** Memory that a server holds, after its garbage was collected if that was asked for, and the CPU time that it has used. */
export interface Usage {
  readonly cpuMs: number;
  readonly residentBytes: number;
  /** Most resident memory since the usage was last asked for, looked at ten times a second. */
  readonly peakBytes: number;
  /** Of V8's heap, and of buffers beside it. */
  readonly heapBytes: number;
}

interface ServerOptions {
  /** File that is run, from the project's root. */
  readonly program: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Core that the process is kept on, where that is possible. */
  readonly core?: number;
}

const rootDir = join(import.meta.dirname, '..');
const killAfterMs = 5_000;
const usageModule = pathToFileURL(join(import.meta.dirname, 'usage.mjs')).href;

/** True if processes can be kept on a core of their own. */
export const canPin = availableParallelism() > 1 && spawnSync('taskset', ['-V']).status === 0;

/** Starts a program of the bench, from the project's root. */
export function startBenchProcess(
  program: string,
  options: Omit<ServerOptions, 'program'> = {},
): BenchProcess {
  const args = ['--import', 'tsx', resolve(rootDir, program), ...(options.args ?? [])];
  return startProcess(process.execPath, args, options);
}

/**
 * V8's young generation has its full size from the start: it grows once, whoever subscribes, and is never given back. Garbage
 * can be collected on request.
 */
const memoryArgs = ['--min-semi-space-size=16', '--max-semi-space-size=16', '--expose-gc'];

/** Starts a server whose use of memory and time can be asked for. */
export function startMeasuredServer({ program, args = [], ...options }: ServerOptions): BenchProcess {
  const compiler = program.endsWith('.ts') ? ['--import', 'tsx'] : [];
  return startProcess(
    process.execPath,
    [...memoryArgs, '--import', usageModule, ...compiler, resolve(rootDir, program), ...args],
    options,
  );
}

/** Asks a measured server. @param settled whether its garbage is collected first, which takes some seconds */
export function usageOf(server: BenchProcess, { settled }: { settled: boolean }): Promise<Usage> {
  if (server.usage) return server.usage();
  const usage = server.next<Usage>('usage');
  server.send({ type: 'measure', settled });
  return usage;
}

/** Starts a program. */
export function startProcess(
  command: string,
  args: readonly string[],
  { env = {}, cwd = rootDir, core }: Pick<ServerOptions, 'env' | 'cwd' | 'core'>,
): BenchProcess {
  const [program = '', ...rest] = [
    ...(core !== undefined && canPin ? ['taskset', '-c', String(core)] : []),
    command,
    ...args,
  ];
  const child = spawn(program, rest, {
    cwd,
    env: { ...process.env, LOG_LEVEL: 'warn', ...env },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  child.setMaxListeners(0);
  const ended = once(child, 'exit');
  return {
    pid: child.pid ?? 0,
    send: message => void child.send(message),
    on(type, listen) {
      child.on('message', (message: Record<string, unknown>) => {
        if (message['type'] === type) listen(message);
      });
    },
    next: <T>(type: string) => nextMessage<T>(child, type, ended),
    async stop() {
      child.kill();
      const timer = setTimeout(() => child.kill('SIGKILL'), killAfterMs);
      await ended;
      clearTimeout(timer);
    },
  };
}

async function nextMessage<T>(child: ChildProcess, type: string, ended: Promise<unknown>): Promise<T> {
  const message = new Promise<T>(found => {
    child.on('message', function listen(each: { type?: string }) {
      if (each.type !== type) return;
      child.off('message', listen);
      found(each as T);
    });
  });
  return Promise.race([
    message,
    ended.then(() => {
      throw new Error(`${child.spawnargs.join(' ')} expected to send '${type}', but ended`);
    }),
  ]);
}
