import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../../platform/errors.ts';
import type { System } from '../system.ts';
import type { Fault } from './schedule.ts';

/** What is needed to do faults to a system. */
export interface FaultsOptions {
  readonly system: System;
  /** Folder of the system's data. */
  readonly dataDir: string;
  readonly plan: readonly Fault[];
  readonly signal: AbortSignal;
  readonly onEvent: (what: string) => void;
}

/** What was done. */
export interface FaultFigures {
  killed: number;
  paused: number;
  /** Faults whose process was just being started. */
  skipped: number;
  /** Processes that ended though nobody ended them, with how. */
  readonly endedByThemselves: string[];
}

/** Time between two tries to start a process, in ms. */
const startAgainMs = 500;
/** Longest time in which a process has to start, once what it needs is there, in ms. */
const startTimeoutMs = 60_000;

/**
 * Does the plan's faults, and starts what was killed again, as an orchestrator would. Resolves when the plan is done
 * and every process runs.
 *
 * @throws Error when a process cannot be started again
 */
export async function doFaults(options: FaultsOptions): Promise<FaultFigures> {
  const { system, plan, signal, onEvent } = options;
  const figures: FaultFigures = { killed: 0, paused: 0, skipped: 0, endedByThemselves: [] };
  const startedAtMs = performance.now();
  const away = new Set<string>();
  const returns: Promise<void>[] = [];
  const failures: unknown[] = [];
  let done = false;

  /** Starts a process again until it runs. Its first tries may fail: the database may be away. */
  async function startAgain(name: string): Promise<void> {
    const deadlineMs = performance.now() + startTimeoutMs;
    for (;;) {
      try {
        await system.start(name);
        watch(name);
        return;
      } catch (error) {
        if (performance.now() > deadlineMs)
          throw new Error(
            `${name} expected to start again within ${startTimeoutMs} ms: ${messageOf(error)}`,
            {
              cause: error,
            },
          );
        await delay(startAgainMs);
      }
    }
  }

  /** Counts the process as away until it is back. */
  function leave(name: string, untilBack: Promise<void>): void {
    away.add(name);
    returns.push(untilBack.catch(error => void failures.push(error)).finally(() => away.delete(name)));
  }

  function watch(name: string): void {
    void system.children.get(name)?.ended.then(how => {
      if (done || away.has(name)) return;
      figures.endedByThemselves.push(`${name} ended ${how}`);
      onEvent(`${name} ended ${how}, though nobody ended it`);
      leave(name, startAgain(name));
    });
  }

  async function kill({ target, forMs }: Fault): Promise<void> {
    const child = system.children.get(target);
    if (!child) return;
    process.kill(await processIdOf(target, child.pid, options.dataDir), 'SIGKILL');
    await child.ended;
    await delay(forMs);
    await startAgain(target);
    onEvent(`${target} is back`);
  }

  async function pause({ target, forMs }: Fault): Promise<void> {
    const child = system.children.get(target);
    if (!child) return;
    process.kill(child.pid, 'SIGSTOP');
    await delay(forMs);
    process.kill(child.pid, 'SIGCONT');
  }

  for (const name of system.children.keys()) watch(name);
  for (const fault of plan) {
    await delay(Math.max(0, fault.atMs - (performance.now() - startedAtMs)), undefined, { signal }).catch(
      () => {},
    );
    if (signal.aborted) break;
    const { kind, target, forMs } = fault;
    if (away.has(target) || !system.children.has(target)) {
      figures.skipped += 1;
      continue;
    }
    onEvent(
      kind === 'kill' ? `SIGKILL ${target}, back after ${forMs} ms` : `SIGSTOP ${target} for ${forMs} ms`,
    );
    figures[kind === 'kill' ? 'killed' : 'paused'] += 1;
    leave(target, kind === 'kill' ? kill(fault) : pause(fault));
  }
  // A process that ends by itself meanwhile adds to the list.
  for (const back of returns) await back;
  done = true;
  if (failures.length > 0) throw failures[0];
  return figures;
}

/** The process to signal: of PostgreSQL the server itself, not the process that watches it. */
async function processIdOf(target: string, pid: number, dataDir: string): Promise<number> {
  if (target !== 'postgres') return pid;
  const [line = ''] = (await readFile(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8')).split('\n');
  return Number(line);
}
