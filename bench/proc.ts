import { readdir, readFile } from 'node:fs/promises';

/** Unit in which Linux tells of CPU time, in ms. */
const tickMs = 10;
const pageBytes = 4_096;

/** Resident memory of a process in bytes, NaN where Linux does not tell. Source: proc_pid_statm(5). */
export async function residentBytesOf(pid: number): Promise<number> {
  const statm = await readFile(`/proc/${pid}/statm`, 'utf8').catch(() => '');
  return Number(statm.split(' ')[1] ?? Number.NaN) * pageBytes;
}

interface ProcessTimes {
  readonly parent: number;
  /** Of all its threads. */
  readonly cpuMs: number;
  /** Of its children that have ended. */
  readonly endedMs: number;
}

/** Parent and times of a process, NaN where Linux does not tell. Source: proc_pid_stat(5). */
async function timesOf(pid: number): Promise<ProcessTimes> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The name of the program, which may have spaces, is in parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const field = (number: number) => Number(fields[number - 3] ?? Number.NaN);
  return {
    parent: field(4),
    cpuMs: (field(14) + field(15)) * tickMs,
    endedMs: (field(16) + field(17)) * tickMs,
  };
}

/** CPU time of a process in ms, NaN where Linux does not tell. */
export async function cpuMsOf(pid: number): Promise<number> {
  return (await timesOf(pid)).cpuMs;
}

/** CPU time of all processes that this one has started, and those have started, in ms; NaN where Linux does not tell. */
export async function cpuMsBelow(): Promise<number> {
  const names = await readdir('/proc').catch(() => []);
  const pids = names.map(Number).filter(Number.isInteger);
  if (pids.length === 0) return Number.NaN;
  const times = new Map(await Promise.all(pids.map(async pid => [pid, await timesOf(pid)] as const)));
  const isBelow = (pid: number): boolean => {
    const parent = times.get(pid)?.parent;
    return parent === process.pid || (parent !== undefined && parent > 1 && isBelow(parent));
  };
  let sumMs = times.get(process.pid)?.endedMs ?? 0;
  for (const [pid, { cpuMs, endedMs }] of times) if (isBelow(pid)) sumMs += cpuMs + endedMs;
  return sumMs;
}
