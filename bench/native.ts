import { readFile } from 'node:fs/promises';
import { type BenchProcess, startProcess, type Usage } from './process.ts';

const samplingMs = 100;
const pageBytes = 4_096;
/** Unit in which Linux tells of CPU time, in ms. */
const tickMs = 10;

/** Starts a server that is not of Node.js. Linux tells what it uses; elsewhere that is not known. */
export function startNativeServer(
  program: string,
  args: readonly string[],
  options: { readonly env: Readonly<Record<string, string>>; readonly cwd: string; readonly core: number },
): BenchProcess {
  const server = startProcess(program, args, options);
  let peakBytes = Number.NaN;
  const sample = async () => {
    const bytes = await residentBytesOf(server.pid);
    peakBytes = Math.max(Number.isNaN(peakBytes) ? 0 : peakBytes, bytes);
    return bytes;
  };
  const sampling = setInterval(() => void sample(), samplingMs);
  return {
    ...server,
    async usage(): Promise<Usage> {
      const residentBytes = await sample();
      const heldAtMostBytes = peakBytes;
      peakBytes = residentBytes;
      const cpuMs = await cpuMsOf(server.pid);
      return { cpuMs, residentBytes, peakBytes: heldAtMostBytes, heapBytes: Number.NaN };
    },
    async stop() {
      clearInterval(sampling);
      await server.stop();
    },
  };
}

/** Resident memory, NaN where Linux does not tell. Source: proc_pid_statm(5). */
async function residentBytesOf(pid: number): Promise<number> {
  const statm = await readFile(`/proc/${pid}/statm`, 'utf8').catch(() => '');
  return Number(statm.split(' ')[1] ?? Number.NaN) * pageBytes;
}

/** CPU time of all threads, NaN where Linux does not tell. Source: proc_pid_stat(5). */
async function cpuMsOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The name of the program, which may have spaces, is in parentheses; user and system time are fields 14 and 15.
  const [user = Number.NaN, system = Number.NaN] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
    .map(Number);
  return (user + system) * tickMs;
}
