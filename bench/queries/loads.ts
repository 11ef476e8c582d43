import { markdownTable, median } from '../figures.ts';
import type { Findings } from './docs.ts';
import { loads } from './federation.ts';
import type { Target } from './loader.ts';
import type { Options } from './options.ts';
import type { Stand } from './stand.ts';

const defaultSeconds = 4;
/** A gateway that was idle while the others had their turns takes more time for its first requests. */
const resumeSeconds = 2;

/** Figures of one run of a load. */
interface Figures {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Time of the gateway's process, over all its threads, for one request. */
  readonly cpuMs: number;
  /** Most resident memory of the gateway's process while the load went on. */
  readonly peakMiB: number;
}

/** Measures each load over all targets, which take turns. */
export async function measureLoads(
  { loader }: Stand,
  targets: readonly Target[],
  { loads: names, rounds, seconds = defaultSeconds, warmUpSeconds, connections, floors }: Options,
): Promise<Findings> {
  const texts: string[] = [];
  for (const load of names) {
    const measure = async (target: Target, runSeconds: number): Promise<Figures> => {
      const { result, cpuMs, peakMiB } = await loader.run(target, {
        loads: [load],
        connections,
        seconds: runSeconds,
      });
      const { perSecond, p50Ms, p99Ms, requests } = result;
      return { perSecond, p50Ms, p99Ms, cpuMs: cpuMs / requests, peakMiB };
    };
    for (const target of targets) await measure(target, warmUpSeconds);
    const runs = new Map<Target, Figures[]>(targets.map(target => [target, []]));
    for (let round = 0; round < rounds; round++)
      for (const target of targets) {
        await measure(target, resumeSeconds);
        runs.get(target)?.push(await measure(target, seconds));
      }
    const medians = new Map([...runs].map(([target, figures]) => [target, medianOf(figures)]));
    texts.push(tableOf(loads[load]?.title ?? load, medians));
    console.log(`\n${texts.at(-1)}`);
    keepFloor(load, medians, floors.get(load));
  }
  const circumstances = `${connections} connections, the median of ${rounds} rounds of\n${seconds} seconds, each after ${resumeSeconds} that do not count, and all after ${warmUpSeconds}`;
  return { circumstances, texts };
}

function medianOf(rounds: readonly Figures[]): Figures {
  const of = (figure: keyof Figures) => median(rounds.map(each => each[figure]));
  return {
    perSecond: of('perSecond'),
    p50Ms: of('p50Ms'),
    p99Ms: of('p99Ms'),
    cpuMs: of('cpuMs'),
    peakMiB: of('peakMiB'),
  };
}

function perSecondOf(id: string, figures: ReadonlyMap<Target, Figures>): number {
  return [...figures].find(([target]) => target.id === id)?.[1].perSecond ?? Number.NaN;
}

function tableOf(title: string, figures: ReadonlyMap<Target, Figures>): string {
  const stock = perSecondOf('stock', figures);
  const rows = [...figures].map(([{ name }, { perSecond, p50Ms, p99Ms, cpuMs, peakMiB }]) => [
    name,
    perSecond.toFixed(0),
    Number.isNaN(stock) ? '' : `${(perSecond / stock).toFixed(1)}×`,
    p50Ms.toFixed(1),
    p99Ms.toFixed(1),
    cpuMs.toFixed(2),
    peakMiB.toFixed(0),
  ]);
  const figuresOf = ['requests/s', 'to Apollo Gateway', 'p50 ms', 'p99 ms', 'CPU ms a request', 'peak MiB'];
  return markdownTable([title, ...figuresOf], rows);
}

/** Makes the process fail where Portico is not so many times as fast as Apollo Gateway. */
function keepFloor(load: string, figures: ReadonlyMap<Target, Figures>, floor: number | undefined): void {
  const ratio = perSecondOf('portico', figures) / perSecondOf('stock', figures);
  if (floor === undefined || ratio >= floor) return;
  console.log(
    `The load '${load}' expected at least ${floor} times Apollo Gateway, but got ${ratio.toFixed(1)}`,
  );
  process.exitCode = 1;
}
