import { cpuMsOf, residentBytesOf } from './proc.ts';
import { type BenchProcess, startProcess, type Usage } from './process.ts';

const samplingMs = 100;

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
