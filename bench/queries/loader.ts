import { type BenchProcess, startBenchProcess, type Usage, usageOf } from '../process.ts';

/** Asks for all requests of a load once, to see that the answers are whole. */
export interface CheckMessage {
  readonly type: 'check';
  readonly url: string;
  readonly load: string;
}

/** Asks for a load over a number of connections, each with one request at a time. */
export interface RunMessage {
  readonly type: 'run';
  readonly url: string;
  /** Connections have one of them each, in turn. */
  readonly loads: readonly string[];
  readonly connections: number;
  readonly seconds: number;
  /** True if nothing may be shared, whatever the load says. */
  readonly isDistinct?: boolean;
}

/** Asks for requests one after the other. */
export interface EachMessage {
  readonly type: 'each';
  readonly url: string;
  readonly bodies: readonly string[];
}

/** Outcome of a run. */
export interface LoadResult {
  readonly requests: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Gateway under measurement. */
export interface Target {
  /** Name in the option `--targets`. */
  readonly id: string;
  /** Name in tables, with the version. */
  readonly name: string;
  readonly url: string;
  readonly server: BenchProcess;
}

/** Outcome of what was done with a server, and what that has used of it. */
export interface Measured<T> {
  readonly result: T;
  /** CPU time of the server's process, over all its threads. */
  readonly cpuMs: number;
  readonly peakMiB: number;
}

/** The process that sends all requests. */
export interface Loader {
  /** Asks for all requests of a load once. @returns a digest of the answers, or what is wrong with them */
  check(target: Target, load: string): Promise<{ digest?: string; fault?: string }>;
  run(target: Target, options: Omit<RunMessage, 'type' | 'url'>): Promise<Measured<LoadResult>>;
  /** Sends requests one after the other. @returns how long each took, in ms */
  sendEach(target: Target, bodies: readonly string[]): Promise<Measured<readonly number[]>>;
}

/** Starts the process that sends requests. */
export async function startLoader(
  started: (process: BenchProcess) => BenchProcess,
  core: number,
): Promise<Loader> {
  const process = started(startBenchProcess('bench/queries/load.ts', { core }));
  await process.next('ready');
  return {
    check({ url }, load) {
      const checked = process.next<{ digest?: string; fault?: string }>('checked');
      process.send({ type: 'check', url, load } satisfies CheckMessage);
      return checked;
    },
    run: (target, options) =>
      measured(target.server, () => {
        const done = process.next<LoadResult>('done');
        process.send({ type: 'run', url: target.url, ...options } satisfies RunMessage);
        return done;
      }),
    sendEach: (target, bodies) =>
      measured(target.server, async () => {
        const sent = process.next<{ latenciesMs: number[] }>('sent');
        process.send({ type: 'each', url: target.url, bodies } satisfies EachMessage);
        return (await sent).latenciesMs;
      }),
  };
}

async function measured<T>(server: BenchProcess, act: () => Promise<T>): Promise<Measured<T>> {
  const before: Usage = await usageOf(server, { settled: false });
  const result = await act();
  const { cpuMs, peakBytes } = await usageOf(server, { settled: false });
  return { result, cpuMs: cpuMs - before.cpuMs, peakMiB: peakBytes / 2 ** 20 };
}
