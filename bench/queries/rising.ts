import { markdownTable } from '../figures.ts';
import type { Findings } from './docs.ts';
import { loads } from './federation.ts';
import type { LoadResult, Target } from './loader.ts';
import type { Options } from './options.ts';
import { plotSvg } from './plot.ts';
import type { Stand } from './stand.ts';

const risingLoads = ['heavy-distinct', 'one-distinct'];
const connectionCounts = [1, 2, 5, 10, 25, 50, 100, 200];
const defaultSeconds = 2;

interface Level {
  readonly connections: number;
  readonly result: LoadResult;
}

/** Measures loads of which nothing is shared over more and more connections. */
export async function measureRising(
  { loader }: Stand,
  targets: readonly Target[],
  { seconds = defaultSeconds, warmUpSeconds }: Options,
): Promise<Findings> {
  // Where nothing is shared, it is the same as without.
  const compared = targets.filter(({ id }) => id !== 'hive-dedup');
  const levelsByLoad = new Map<string, Map<string, Level[]>>();
  for (const load of risingLoads) {
    const levels = new Map<string, Level[]>(compared.map(({ name }) => [name, []]));
    levelsByLoad.set(loads[load]?.title ?? load, levels);
    for (const target of compared)
      await loader.run(target, { loads: [load], connections: 50, seconds: warmUpSeconds });
    for (const connections of connectionCounts)
      for (const target of compared) {
        const { result } = await loader.run(target, { loads: [load], connections, seconds });
        levels.get(target.name)?.push({ connections, result });
      }
    console.log(`\n${tableOf(loads[load]?.title ?? load, levels)}`);
  }
  const plot = (title: string, yLabel: string, figure: (result: LoadResult) => number) =>
    plotSvg({
      title,
      xLabel: 'connections',
      yLabel,
      panels: [...levelsByLoad].map(([panelTitle, levels]) => ({
        title: panelTitle,
        series: [...levels].map(([name, each]) => ({
          // Versions stand in the tables.
          name: name.replace(/ [\d.]+$/, ''),
          points: each.map(({ connections, result }) => [connections, figure(result)] as const),
        })),
      })),
    });
  return {
    circumstances: `${seconds} s at each number of connections\nafter ${warmUpSeconds} s over 50 that do not count`,
    texts: [
      '![Requests a second by the number of connections](images/rising-throughput.svg)',
      '![Latency at the 99th percentile by the number of connections](images/rising-latency.svg)',
    ],
    images: {
      'rising-throughput.svg': plot('Throughput', 'requests/s', ({ perSecond }) => perSecond),
      'rising-latency.svg': plot('Latency, p99', 'ms', ({ p99Ms }) => p99Ms),
    },
  };
}

function tableOf(title: string, levels: ReadonlyMap<string, readonly Level[]>): string {
  const rows = connectionCounts.map((connections, index) => [
    connections,
    ...[...levels.values()].map(each => {
      const { perSecond = 0, p50Ms = 0, p99Ms = 0 } = each[index]?.result ?? {};
      return `${perSecond.toFixed(0)}/s, ${p50Ms.toFixed(1)}, ${p99Ms.toFixed(1)} ms`;
    }),
  ]);
  return markdownTable([`${title}: connections`, ...levels.keys()], rows);
}
