import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Child } from '../../dev/child.ts';
import type { System } from '../../dev/system.ts';
import { keepRunning } from './keeper.ts';
import type { Fault } from './schedule.ts';

/** Options of the faults. */
export interface FaultsOptions {
  readonly system: System;
  /** Folder of the system's data. */
  readonly dataDir: string;
  readonly plan: readonly Fault[];
  readonly signal: AbortSignal;
  readonly onEvent: (what: string) => void;
}

/** Faults that were done. */
export interface FaultFigures {
  killed: number;
  paused: number;
  /** Faults whose process was just being started. */
  skipped: number;
  /** Processes that ended though nobody ended them, with how. It grows until the system is closed. */
  readonly endedByThemselves: readonly string[];
}

/**
 * Does the plan's faults, and starts what was killed again. Resolves when the plan is done and every process runs.
 *
 * @throws Error when a process cannot be started again
 */
export async function doFaults({
  system,
  dataDir,
  plan,
  signal,
  onEvent,
}: FaultsOptions): Promise<FaultFigures> {
  const keeper = keepRunning(system, onEvent);
  const { endedByThemselves } = keeper;
  const figures: FaultFigures = { killed: 0, paused: 0, skipped: 0, endedByThemselves };
  const startedAtMs = performance.now();
  for (const fault of plan) {
    const waitMs = Math.max(0, fault.atMs - (performance.now() - startedAtMs));
    await delay(waitMs, undefined, { signal }).catch(() => {});
    if (signal.aborted) break;
    const { kind, target, forMs } = fault;
    const child = system.children.get(target);
    if (!child || !keeper.isPresent(target)) figures.skipped += 1;
    else if (kind === 'kill') {
      onEvent(`SIGKILL ${target}, back after ${forMs} ms`);
      figures.killed += 1;
      const killed = kill(child, { forMs, dataDir }).then(() => keeper.startAgain(target));
      keeper.leave(
        target,
        killed.then(() => onEvent(`${target} is back`)),
      );
    } else {
      onEvent(`SIGSTOP ${target} for ${forMs} ms`);
      figures.paused += 1;
      keeper.leave(target, pause(child, forMs));
    }
  }
  await keeper.allBack();
  return figures;
}

async function kill(
  { name, pid, ended }: Child,
  { forMs, dataDir }: { forMs: number; dataDir: string },
): Promise<void> {
  process.kill(await processIdOf(name, pid, dataDir), 'SIGKILL');
  await ended;
  await delay(forMs);
}

async function pause({ pid }: Child, forMs: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  await delay(forMs);
  process.kill(pid, 'SIGCONT');
}

/** The process to signal: of PostgreSQL the server itself, not the process that watches it. */
async function processIdOf(target: string, pid: number, dataDir: string): Promise<number> {
  if (target !== 'postgres') return pid;
  const [line = ''] = (await readFile(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8')).split('\n');
  return Number(line);
}
