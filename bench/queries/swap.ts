import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { markdownTable, median } from '../figures.ts';
import { answers, launchPortico, startPortico, until, untilGraph, withAddresses } from '../parts.ts';
import type { BenchProcess } from '../process.ts';
import type { Findings } from './docs.ts';
import { shapes, subgraphs } from './federation.ts';
import type { Target } from './loader.ts';
import type { Options } from './options.ts';
import { gatewayCore, type Stand, startStand } from './stand.ts';
import { startStock, targetOf } from './targets.ts';

const large = 100;
const starts = 3;
const swaps = 10;
/** Time for which requests are sent around a swap; a swap that took longer would fail the bench. */
const watchSeconds = 6;
const beforeSwapMs = 500;
const lookEveryMs = 5;

interface Swaps {
  readonly takenMs: readonly number[];
  readonly stallsMs: readonly number[];
  readonly quietStallMs: number;
}

/** Measures how long it takes from a registration to the new graph, what requests notice of it, and starts. */
export async function measureSwap(_options: Options): Promise<Findings> {
  const rows: string[][] = [];
  let found: Swaps | undefined;
  for (const count of [Object.keys(subgraphs).length, large]) {
    const stand = await startStand(count);
    try {
      rows.push(await measureStarts(stand));
      if (count === large) found = await measureSwaps(stand);
    } finally {
      await stand.close();
    }
  }
  const started = [
    'Portico, first start',
    'Portico, started again',
    'Apollo Gateway with the supergraph in a file',
  ];
  const ms = (value: number) => value.toFixed(0);
  const { takenMs = [], stallsMs = [], quietStallMs = Number.NaN } = found ?? {};
  const texts = [
    markdownTable(['from the start of the process to the first answer, ms', ...started], rows),
    markdownTable(
      [`one of ${large} subgraphs registers another schema`, 'median', 'worst'],
      [
        ['to the first answer of the new graph, ms', ms(median(takenMs)), ms(Math.max(...takenMs))],
        ['longest wait of a request meanwhile, ms', ms(median(stallsMs)), ms(Math.max(...stallsMs))],
        ['longest wait of a request without a swap, ms', '', ms(quietStallMs)],
      ],
    ),
  ];
  for (const text of texts) console.log(`\n${text}`);
  return { circumstances: `the median of ${starts} starts, ${swaps} swaps`, texts };
}

/** Starts what is measured, waits until it is ready, and stops it. @returns the time that it took */
async function timed(start: () => Promise<BenchProcess>): Promise<number> {
  const startedAtMs = performance.now();
  const server = await start();
  const takenMs = performance.now() - startedAtMs;
  await server.stop();
  return takenMs;
}

async function measureStarts(stand: Stand): Promise<string[]> {
  const untilAnswers = (url: string) =>
    until('an answer', () => answers(url, '{ me { name numberOfReviews } }'), lookEveryMs);
  const startOurs = (folder: string) => async () => {
    const dataDir = join(stand.dataDir, folder);
    const portico = await launchPortico(stand.started, { ...stand, dataDir, core: gatewayCore });
    await untilAnswers(targetOf(portico).url);
    await untilGraph(portico, stand.subgraphs);
    return portico.server;
  };
  const { server, sdl } = await startPortico(stand.started, { ...stand, core: gatewayCore });
  await server.stop();
  const startStockNow = async () => {
    const { url, server: stock } = await startStock(stand, withAddresses(sdl, stand.urls));
    await untilAnswers(url);
    return stock;
  };
  const [first, again, stock]: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round < starts; round++) {
    first.push(await timed(startOurs(`first-${round}`)));
    again.push(await timed(startOurs(`first-${round}`)));
    stock.push(await timed(startStockNow));
  }
  return [`${stand.subgraphs} subgraphs`, ...[first, again, stock].map(taken => median(taken).toFixed(0))];
}

async function measureSwaps(stand: Stand): Promise<Swaps> {
  const portico = await startPortico(stand.started, { ...stand, core: gatewayCore });
  const target = targetOf(portico);
  // Operations that clients send are planned again before a graph is served.
  await stand.loader.run(target, { loads: shapes, connections: 8, seconds: 5 });
  const watch = async () => {
    const { result } = await stand.loader.run(target, {
      loads: ['one-distinct'],
      connections: 1,
      seconds: watchSeconds,
    });
    return result.maxMs;
  };
  const quietStallMs = await watch();
  const [takenMs, stallsMs]: [number[], number[]] = [[], []];
  for (let version = 1; version <= swaps; version++) {
    const watching = watch();
    await delay(beforeSwapMs);
    takenMs.push(await swapTo(stand, target, version));
    stallsMs.push(await watching);
  }
  return { takenMs, stallsMs, quietStallMs };
}

/** Registers another version of a subgraph. @returns the time until a field of it is answered, in ms */
export async function swapTo(stand: Stand, { url }: Target, version: number): Promise<number> {
  const startedAtMs = performance.now();
  await stand.change(version);
  await until(`version ${version} in the graph`, () => answers(url, `{ version${version} }`), lookEveryMs);
  return performance.now() - startedAtMs;
}
