import { markdownTable, median, percentile } from '../figures.ts';
import type { Findings } from './docs.ts';
import { loads, shapes } from './federation.ts';
import type { Loader, Target } from './loader.ts';
import { neverSeen } from './never-seen.ts';
import type { Options } from './options.ts';
import type { Stand } from './stand.ts';

const documents = 300;
/** V8 has compiled what takes a document in. */
const warmUpDocuments = 100;

const titles = [
  'first, p50 ms',
  'to Apollo Gateway',
  'first, p99 ms',
  'first, CPU ms',
  'to Apollo Gateway',
  'again, p50 ms',
  'again, CPU ms',
  'difference, CPU ms',
];

/** Figures of documents of one shape that are sent for the first time, and then once more. */
interface Figures {
  readonly firstMs: readonly number[];
  readonly againMs: readonly number[];
  /** CPU time of the gateway for all documents. */
  readonly firstCpuMs: number;
  readonly againCpuMs: number;
}

/** Measures what an operation takes that comes for the first time, one at a time, in Portico and in Apollo Gateway. */
export async function measureCold(
  { loader }: Stand,
  targets: readonly Target[],
  { rounds }: Options,
): Promise<Findings> {
  const compared = targets.filter(({ id }) => id === 'portico' || id === 'stock');
  const each = Math.ceil(documents / rounds);
  const rows: (string | number)[][] = [];
  for (const shape of shapes) {
    const runs = new Map<Target, Figures[]>(compared.map(target => [target, []]));
    for (const target of compared) await loader.sendEach(target, neverSeen(shape, 0, warmUpDocuments));
    for (let round = 0; round < rounds; round++)
      for (const [target, figures] of runs)
        figures.push(
          await measureOne(loader, target, neverSeen(shape, warmUpDocuments + round * each, each)),
        );
    const totals = new Map([...runs].map(([target, figures]) => [target, totalOf(figures)]));
    const stock = [...totals].find(([{ id }]) => id === 'stock')?.[1];
    const count = rounds * each;
    for (const [{ name }, figures] of totals)
      rows.push([`${loads[shape]?.title ?? shape}: ${name}`, ...cellsOf(figures, stock, count)]);
  }
  const texts = [markdownTable(['a document for the first time', ...titles], rows)];
  console.log(`\n${texts[0]}`);
  return {
    circumstances: `${rounds * each} documents of each shape, one at\na time over one connection, in ${rounds} rounds after ${warmUpDocuments} that do not count`,
    texts,
  };
}

async function measureOne(loader: Loader, target: Target, bodies: readonly string[]): Promise<Figures> {
  const first = await loader.sendEach(target, bodies);
  const again = await loader.sendEach(target, bodies);
  return {
    firstMs: first.result,
    firstCpuMs: first.cpuMs,
    againMs: again.result,
    againCpuMs: again.cpuMs,
  };
}

function totalOf(rounds: readonly Figures[]): Figures {
  const sumOf = (figure: 'firstCpuMs' | 'againCpuMs') => rounds.reduce((sum, each) => sum + each[figure], 0);
  return {
    firstMs: rounds.flatMap(({ firstMs }) => firstMs),
    againMs: rounds.flatMap(({ againMs }) => againMs),
    firstCpuMs: sumOf('firstCpuMs'),
    againCpuMs: sumOf('againCpuMs'),
  };
}

function cellsOf(
  { firstMs, againMs, firstCpuMs, againCpuMs }: Figures,
  stock: Figures | undefined,
  count: number,
): string[] {
  const ratio = (own: number, other: number | undefined) => (other ? `${(own / other).toFixed(2)}×` : '');
  return [
    median(firstMs).toFixed(2),
    ratio(median(firstMs), stock && median(stock.firstMs)),
    percentile(firstMs, 0.99).toFixed(1),
    (firstCpuMs / count).toFixed(2),
    ratio(firstCpuMs, stock?.firstCpuMs),
    median(againMs).toFixed(2),
    (againCpuMs / count).toFixed(2),
    ((firstCpuMs - againCpuMs) / count).toFixed(2),
  ];
}
