import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { build } from '../../dev/build.ts';
import { markdownTable } from '../figures.ts';
import { type Figures, measureFanOut, measureIdle, measureThroughput, mintTokens } from './measures.ts';
import { measureOrders } from './orders.ts';
import { type Stand, startStand, type Target } from './targets.ts';

type Measure = (stand: Stand, target: Target) => Promise<Figures>;

const measures: Readonly<Record<string, { readonly title: string; readonly measure: Measure }>> = {
  idle: {
    title: '10,000 idle subscribers, equal callers',
    measure: (stand, target) => measureIdle(stand, target, []),
  },
  'idle-distinct': {
    title: '10,000 idle subscribers, each another caller',
    measure: async (stand, target) => measureIdle(stand, target, await mintTokens(stand)),
  },
  'fan-out': { title: 'one event to 1,000 subscribers', measure: measureFanOut },
  events: {
    title: 'events to one subscriber, without other fields',
    measure: (stand, target) => measureThroughput(stand, target, false),
  },
  fetches: {
    title: 'events to one subscriber, each with one entity fetch',
    measure: (stand, target) => measureThroughput(stand, target, true),
  },
};

/** Has the whole system, and nothing to compare it with. */
const ordersPart = 'orders';
const orderRates = [100, 25];

const { values } = parseArgs({
  options: {
    targets: { type: 'string', default: 'portico,direct,hive' },
    parts: { type: 'string', default: [...Object.keys(measures), ordersPart].join() },
  },
});

/** One line for each figure, a column for each target, and how many times ours the others' are. */
function print(title: string, columns: ReadonlyMap<string, Figures>): void {
  const [ours] = columns.values();
  const rows = Object.keys(ours ?? {}).map(figure => [
    figure,
    ...[...columns.values()].map(figures => {
      const [value = Number.NaN, own = Number.NaN] = [figures[figure], ours?.[figure]];
      const ratio = figures === ours ? '' : ` (${(value / own).toFixed(2)}×)`;
      return value.toFixed(value < 100 ? 2 : 0) + ratio;
    }),
  ]);
  console.log(`\n${markdownTable([title, ...columns.keys()], rows)}`);
}

/** Tells whether a part says something about a target. */
function concerns(part: string, { name }: Target): boolean {
  // A subgraph by itself has no fields of another.
  if (part === 'fetches') return name !== 'direct';
  // The others open a subscription for each subscriber, whoever it is.
  return part !== 'idle-distinct' || name === 'Portico';
}

await build();
console.log(`Node ${process.versions.node}, ${availableParallelism()} cores, everything on loopback`);
const parts = values.parts.split(',');
const known = [...Object.keys(measures), ordersPart];
const unknown = parts.filter(part => !known.includes(part));
if (unknown.length > 0)
  throw new Error(`--parts expected some of ${known.join()}, but got ${unknown.join()}`);

const stand = await startStand(values.targets.split(','));
try {
  for (const [part, { title, measure }] of Object.entries(measures)) {
    if (!parts.includes(part)) continue;
    const columns = new Map<string, Figures>();
    for (const target of stand.targets)
      if (concerns(part, target)) columns.set(target.name, await measure(stand, target));
    if (columns.size > 0) print(title, columns);
  }
} finally {
  await stand.close();
}
if (parts.includes(ordersPart)) {
  const columns = new Map<string, Figures>();
  for (const rate of orderRates) columns.set(`${rate} a second`, await measureOrders(rate));
  print('the whole system, orders', columns);
}
