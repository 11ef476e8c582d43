import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const main = join(import.meta.dirname, '..', '..', 'broker', 'main.ts');

/** The embedded broker as a process of its own. */
export interface BrokerProcess {
  child: ChildProcess;
  port: number;
  /** Resolves with the exit code, or the signal, when it has ended. */
  exited: Promise<number | NodeJS.Signals>;
  /** Output so far. */
  output(): string;
  /** Ends it and waits for that. */
  end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals>;
}

/**
 * Starts the embedded broker with settings from the environment that it reads.
 *
 * @throws Error with what it printed when it ends instead of getting ready
 */
export async function startBrokerProcess(env: Record<string, string>): Promise<BrokerProcess> {
  const child = fork(main, {
    env: { ...process.env, ...env },
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let output = '';
  const printed: Promise<unknown>[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    if (!stream) continue;
    stream.on('data', chunk => (output += chunk));
    printed.push(once(stream, 'end'));
  }
  // Not the event 'close', which does not come once the parent has disconnected.
  const exited = once(child, 'exit').then(async ([code, signal]) => {
    await Promise.all(printed);
    return code ?? signal;
  });
  const ready = once(child, 'message').then(([message]) => message as { port: number });
  const first = await Promise.race([ready, exited]);
  if (typeof first !== 'object') throw new Error(`the broker ended with ${first}: ${output}`);
  return {
    child,
    port: first.port,
    exited,
    output: () => output,
    end(signal) {
      child.kill(signal);
      return exited;
    },
  };
}

/** Makes a folder for a broker's data. */
export async function makeDataDir(): Promise<{ dataDir: string; remove(): Promise<void> }> {
  const dataDir = await mkdtemp(join(tmpdir(), 'embedded-broker-'));
  return { dataDir, remove: () => rm(dataDir, { recursive: true, force: true }) };
}
