import { execFile } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Longest time that a server that lost its parent may take to write its memory to disk and end, in ms. */
const stopTimeoutMs = 60_000;

const pollIntervalMs = 50;

/** A process that a data directory names as its server. */
interface Occupant {
  pid: number;
  /** True if the process that started it has gone, so that nobody will stop it. */
  orphaned: boolean;
}

/** A setting that PostgreSQL ignores. On a server's command line it tells which process started it. */
export function parentMark(pid: number): string {
  return `portico.parent_pid=${pid}`;
}

/**
 * Stops the server that still runs on `dataDir` after its parent was killed: one that names as its parent a process
 * which is no longer its parent. A server whose parent is alive may be about to end, and is waited for.
 *
 * @param dataDir as it stands on the server's command line
 * @param releaseTimeoutMs how long to wait for a server whose parent is alive
 * @returns the process id of the server that was stopped
 * @throws Error when a server goes on running on `dataDir`
 */
export async function stopOrphan(dataDir: string, releaseTimeoutMs: number): Promise<number | undefined> {
  const startedAt = performance.now();
  let stopped: number | undefined;
  for (;;) {
    const occupant = await findOccupant(dataDir);
    if (occupant === undefined) return stopped;

    const waitedMs = performance.now() - startedAt;
    if (waitedMs > (occupant.orphaned ? stopTimeoutMs : releaseTimeoutMs))
      throw new Error(`${dataDir} is used by another server of PostgreSQL: process ${occupant.pid}`);

    if (occupant.orphaned && stopped === undefined) {
      // "Fast" shutdown: open transactions are rolled back and memory is written to disk.
      process.kill(occupant.pid, 'SIGINT');
      stopped = occupant.pid;
    }
    await sleep(pollIntervalMs);
  }
}

/** Finds the process that runs on `dataDir`; what a dead server left behind does not count. */
async function findOccupant(dataDir: string): Promise<Occupant | undefined> {
  const pidFile = join(dataDir, 'postmaster.pid');
  const pid = Number((await readFile(pidFile, 'utf8').catch(() => '')).split('\n')[0]);
  const server = pid > 0 ? await describeProcess(pid) : undefined;
  if (server === undefined)
    // PostgreSQL itself checks that nothing of a dead server uses the files any more.
    return undefined;

  if (!isServerOf(dataDir, server.commandLine)) {
    // The number went to another process since, as it does after a reboot and in containers. PostgreSQL would take it for a
    // running server.
    await rm(pidFile, { force: true });
    return undefined;
  }
  const parentPid = /portico\.parent_pid=(\d+)/.exec(server.commandLine)?.[1];
  return { pid, orphaned: parentPid !== undefined && Number(parentPid) !== server.parentPid };
}

/** Tells a server of these data from every other program, also from one that has "postgres" somewhere in its arguments. */
function isServerOf(dataDir: string, commandLine: string): boolean {
  const [program, rest] = splitAt(commandLine, ` -D ${dataDir}`);
  return rest !== undefined && /^(?: |$)/.test(rest) && /(?:^|\/)(?:postgres|postmaster)$/.test(program);
}

function splitAt(text: string, separator: string): [string, string | undefined] {
  const index = text.indexOf(separator);
  return index < 0 ? [text, undefined] : [text.slice(0, index), text.slice(index + separator.length)];
}

/** Reads a process's parent and command line: from `/proc` on Linux, which needs no program, elsewhere from `ps`. */
async function describeProcess(pid: number): Promise<{ parentPid: number; commandLine: string } | undefined> {
  try {
    if (process.platform === 'linux') {
      const status = await readFile(`/proc/${pid}/status`, 'utf8');
      const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8');
      return {
        parentPid: Number(/^PPid:\s*(\d+)/m.exec(status)?.[1]),
        commandLine: commandLine.replaceAll('\0', ' '),
      };
    }
    const { stdout } = await run('ps', ['-ww', '-o', 'ppid=,args=', '-p', String(pid)]);
    const [, parentPid, commandLine = ''] = /^\s*(\d+)\s+(.*)$/m.exec(stdout) ?? [];
    return { parentPid: Number(parentPid), commandLine };
  } catch {
    return undefined;
  }
}
