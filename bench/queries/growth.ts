import { setTimeout as delay } from 'node:timers/promises';
import { markdownTable, slopeOf } from '../figures.ts';
import { startPortico } from '../parts.ts';
import { usageOf } from '../process.ts';
import type { Findings } from './docs.ts';
import { shapes, subgraphs } from './federation.ts';
import type { Options } from './options.ts';
import { gatewayCore, type Stand, startStand } from './stand.ts';
import { swapTo } from './swap.ts';
import { targetOf } from './targets.ts';

const connections = 20;
const defaultSeconds = 600;
const samples = 10;
/** Caches fill, and V8 compiles, before growth can be told from that. */
const warmUpSamples = 2;
const swapEveryMs = 10_000;
/** Schemas of the subgraph that changes, which come again and again. */
const versions = 25;
/** Largest slope that is not growth, in MiB a minute of heap after its garbage was collected. */
const limitMiBPerMinute = 0.5;

interface Sample {
  readonly minutes: number;
  readonly swaps: number;
  readonly perSecond: number;
  readonly heapMiB: number;
  readonly residentMiB: number;
}

/** Measures whether memory grows under load while the graph is swapped, and makes the process fail if it does. */
export async function measureGrowth({ seconds = defaultSeconds }: Options): Promise<Findings> {
  const stand = await startStand(Object.keys(subgraphs).length + 1);
  try {
    const found = await sampleAll(stand, seconds);
    const settled = found.slice(warmUpSamples);
    const slope = slopeOf(settled.map(({ minutes, heapMiB }) => [minutes, heapMiB]));
    const verdict = `After the first ${warmUpSamples} lines the heap changes by ${slope.toFixed(2)} MiB a minute; more than ${limitMiBPerMinute} fails.`;
    console.log(`\n${verdict}`);
    if (!(slope <= limitMiBPerMinute)) process.exitCode = 1;
    const header = ['minutes', 'swaps so far', 'requests/s', 'heap and buffers MiB', 'resident MiB'];
    return {
      circumstances: `${connections} connections, nothing\nshared, ${seconds} seconds, a graph swap every ${swapEveryMs / 1_000}, ${versions} versions of a subgraph`,
      texts: [markdownTable(header, found.map(cellsOf)), verdict],
    };
  } finally {
    await stand.close();
  }
}

function cellsOf({ minutes, swaps, perSecond, heapMiB, residentMiB }: Sample): string[] {
  return [
    minutes.toFixed(1),
    String(swaps),
    perSecond.toFixed(0),
    heapMiB.toFixed(1),
    residentMiB.toFixed(0),
  ];
}

async function sampleAll(stand: Stand, seconds: number): Promise<Sample[]> {
  const portico = await startPortico(stand.started, { ...stand, core: gatewayCore });
  const target = targetOf(portico);
  const found: Sample[] = [];
  let swaps = 0;
  for (let sample = 1; sample <= samples; sample++) {
    const running = stand.loader.run(target, {
      loads: shapes,
      connections,
      seconds: seconds / samples,
      isDistinct: true,
    });
    let isRunning = true;
    const swapping = (async () => {
      while (isRunning) {
        swaps += 1;
        const takenMs = await swapTo(stand, target, swaps % versions);
        await Promise.race([delay(swapEveryMs - takenMs), running]);
      }
    })();
    const { result } = await running;
    isRunning = false;
    await swapping;
    const { heapBytes, residentBytes } = await usageOf(target.server, { settled: true });
    const [heapMiB, residentMiB] = [heapBytes / 2 ** 20, residentBytes / 2 ** 20];
    const minutes = (sample * seconds) / samples / 60;
    found.push({ minutes, swaps, perSecond: result.perSecond, heapMiB, residentMiB });
    console.log(found.slice(-1).map(each => cellsOf(each).join(' | '))[0]);
  }
  return found;
}
