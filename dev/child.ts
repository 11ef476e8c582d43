import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { rootDir } from './settings.ts';

/** A process to start through its public entry point. */
export interface ChildOptions {
  /** Name of this instance, such as `orders-2`. */
  readonly name: string;
  /** Its `main.ts`, from the project's root; what runs is its compiled form in `dist/`. */
  readonly entry: string;
  /** Added to the environment of this process. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Gets each line that it writes. */
  readonly onLine: (name: string, line: string) => void;
  /** Ends it before it is ready. */
  readonly signal?: AbortSignal | undefined;
}

/** A process that has said that it is ready. */
export interface Child {
  readonly name: string;
  readonly pid: number;
  /** Its first message: its ports, and its URL if it has one. */
  readonly ready: ReadyMessage;
  /** Resolves when the process has ended, with how. */
  readonly ended: Promise<string>;
  /** True if it has been asked to end from here. */
  readonly stopping: boolean;
  /** Sends a signal and resolves when the process has ended. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

interface ReadyMessage {
  readonly port?: number;
  readonly url?: string;
  readonly ports?: Readonly<Record<string, number>>;
  /** Folder of its data, when that is not the one it was to be in. */
  readonly elsewhere?: string;
}

/** Last lines of a process that failed to start, for its error. */
const rememberedLines = 20;
/** Longest time that a process may take to end when it is asked to, before it is killed, in ms. */
const killAfterMs = 15_000;

/** Starts a process and waits until it is ready. @throws Error with its last words when it ends before that */
export async function startChild({ name, entry, env, onLine, signal }: ChildOptions): Promise<Child> {
  signal?.throwIfAborted();
  const program = join(rootDir, 'dist', entry.replace(/\.ts$/, '.js'));
  const child = spawn(process.execPath, ['--enable-source-maps', program], {
    cwd: rootDir,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    // A process group of its own: Ctrl-C reaches only the one that started it, which then ends the others in order.
    // Should that one die, the IPC channel closes, and each ends by itself.
    detached: true,
  });
  const lastLines: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    if (stream)
      createInterface(stream).on('line', line => {
        lastLines.push(line);
        if (lastLines.length > rememberedLines) lastLines.shift();
        onLine(name, line);
      });
  const ended = once(child, 'close').then(
    ([code, signal]) => (signal ? `by ${String(signal)}` : `with exit code ${String(code)}`),
    (error: Error) => `because it could not be started: ${error.message}`,
  );
  const endEarly = () => child.kill();
  signal?.addEventListener('abort', endEarly, { once: true });
  const ready = await Promise.race([readyMessageOf(child), ended]);
  signal?.removeEventListener('abort', endEarly);
  if (typeof ready === 'string') {
    signal?.throwIfAborted();
    throw new Error(`${name} ended ${ready} before it was ready:\n${lastLines.map(readableLine).join('\n')}`);
  }
  return watchedChild(child, { name, ready, ended });
}

function readyMessageOf(child: ChildProcess): Promise<ReadyMessage> {
  return new Promise(resolve => {
    child.on('message', message => {
      if ((message as { type?: string }).type === 'ready') resolve(message as ReadyMessage);
    });
  });
}

function watchedChild(
  child: ChildProcess,
  { name, ready, ended }: Pick<Child, 'name' | 'ready' | 'ended'>,
): Child {
  let stopping = false;
  return {
    name,
    ready,
    ended,
    pid: child.pid ?? 0,
    get stopping() {
      return stopping;
    },
    async stop(signal = 'SIGTERM') {
      stopping = true;
      child.kill(signal);
      const timer = setTimeout(() => child.kill('SIGKILL'), killAfterMs);
      await ended;
      clearTimeout(timer);
    },
  };
}

/** The message of a log line; other lines as they are. */
function readableLine(line: string): string {
  try {
    const { msg, err } = JSON.parse(line) as { msg?: string; err?: { stack?: string } };
    return [msg, err?.stack].filter(Boolean).join('\n') || line;
  } catch {
    return line;
  }
}
