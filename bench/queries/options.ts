import { parseArgs } from 'node:util';
import { loads } from './federation.ts';
import { targetIds } from './targets.ts';

/** Parts that `npm run bench` measures when it is not told which. */
const quickParts = ['loads', 'rising', 'cold', 'swap'];
/** Takes ten minutes, and says nothing of others. */
const growthPart = 'growth';

/** Options of the benchmark of queries, as they were given. */
export interface Options {
  readonly parts: readonly string[];
  readonly targets: readonly string[];
  readonly loads: readonly string[];
  readonly rounds: number;
  /** How long a run of a load takes; of growth, all of it. */
  readonly seconds: number | undefined;
  /** What a query of many fetches needs is optimized by V8 for some ten seconds. */
  readonly warmUpSeconds: number;
  readonly connections: number;
  /** Lowest ratio to Apollo Gateway by load: `--floors heavy=50,hop=5`. */
  readonly floors: ReadonlyMap<string, number>;
  /** Whether the figures are written into the documentation. */
  readonly write: boolean;
}

/** Reads the options. @throws Error when one names what there is not */
export function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      parts: { type: 'string', default: quickParts.join() },
      targets: { type: 'string', default: targetIds.join() },
      loads: { type: 'string', default: Object.keys(loads).join() },
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string' },
      'warm-up-seconds': { type: 'string', default: '10' },
      floors: { type: 'string', default: '' },
      write: { type: 'boolean', default: false },
      connections: { type: 'string', default: '50' },
    },
  });
  const floors = values.floors.split(',').filter(Boolean);
  return {
    parts: known('parts', values.parts, [...quickParts, growthPart]),
    targets: known('targets', values.targets, targetIds),
    loads: known('loads', values.loads, Object.keys(loads)),
    rounds: Number(values.rounds),
    seconds: values.seconds === undefined ? undefined : Number(values.seconds),
    warmUpSeconds: Number(values['warm-up-seconds']),
    connections: Number(values.connections),
    floors: new Map(
      floors.map(floor => floor.split('=') as [string, string]).map(([load, ratio]) => [load, Number(ratio)]),
    ),
    write: values.write,
  };
}

function known(option: string, given: string, all: readonly string[]): string[] {
  const names = given.split(',');
  const unknown = names.filter(name => !all.includes(name));
  if (unknown.length > 0)
    throw new Error(`--${option} expected some of ${all.join()}, but got ${unknown.join()}`);
  return names;
}
