import { setTimeout as delay } from 'node:timers/promises';
import type { System } from '../../dev/system.ts';
import { messageOf } from '../../platform/errors.ts';

/** Keeps the processes of a system running, as an orchestrator would. */
export interface Keeper {
  /** Processes that ended though nobody ended them, with how. It grows until the system is closed. */
  readonly endedByThemselves: readonly string[];
  /** Tells whether the process runs and nothing is being done to it. */
  isPresent(name: string): boolean;
  /** Counts a process as away until that is done. */
  leave(name: string, untilBack: Promise<void>): void;
  /** Starts a process again until it runs: its first tries may fail, as the database may be away. */
  startAgain(name: string): Promise<void>;
  /** Resolves when every process runs; from then on none is started again. @throws Error when one cannot be */
  allBack(): Promise<void>;
}

/** Time between two tries to start a process, in ms. */
const startAgainMs = 500;
/** Longest time in which a process has to start, once what it needs is there, in ms. */
const startTimeoutMs = 60_000;

/** Makes the keeper of a system that runs. */
export function keepRunning(system: System, onEvent: (what: string) => void): Keeper {
  const endedByThemselves: string[] = [];
  const away = new Set<string>();
  const returns: Promise<void>[] = [];
  const failures: unknown[] = [];
  let done = false;

  function watch(name: string): void {
    const child = system.children.get(name);
    void child?.ended.then(how => {
      if (child.stopping || away.has(name)) return;
      endedByThemselves.push(`${name} ended ${how}`);
      onEvent(`${name} ended ${how}, though nobody ended it`);
      if (!done) leave(name, startAgain(name));
    });
  }

  function leave(name: string, untilBack: Promise<void>): void {
    away.add(name);
    returns.push(untilBack.catch(error => void failures.push(error)).finally(() => away.delete(name)));
  }

  async function startAgain(name: string): Promise<void> {
    const deadlineMs = performance.now() + startTimeoutMs;
    for (;;)
      try {
        await system.start(name);
        watch(name);
        return;
      } catch (cause) {
        if (performance.now() > deadlineMs)
          throw new Error(`${name} expected to start within ${startTimeoutMs} ms: ${messageOf(cause)}`, {
            cause,
          });
        await delay(startAgainMs);
      }
  }

  for (const name of system.children.keys()) watch(name);
  return {
    endedByThemselves,
    isPresent: name => system.children.has(name) && !away.has(name),
    leave,
    startAgain,
    async allBack() {
      // A process that ends by itself meanwhile adds to the list.
      for (const back of returns) await back;
      done = true;
      if (failures.length > 0) throw failures[0];
    },
  };
}
