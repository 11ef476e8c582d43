import { build } from '../../dev/build.ts';
import { measureCold } from './cold.ts';
import { type Findings, writeFindings } from './docs.ts';
import { measureGrowth } from './growth.ts';
import type { Target } from './loader.ts';
import { measureLoads } from './loads.ts';
import { type Options, readOptions } from './options.ts';
import { measureRising } from './rising.ts';
import { type Stand, startStand } from './stand.ts';
import { measureSwap } from './swap.ts';
import { startTargets } from './targets.ts';

/** Parts that ask the same gateways. */
const comparing: Readonly<
  Record<string, (stand: Stand, targets: readonly Target[], options: Options) => Promise<Findings>>
> = { loads: measureLoads, rising: measureRising, cold: measureCold };
/** Parts that have gateways of their own. */
const others: Readonly<Record<string, (options: Options) => Promise<Findings>>> = {
  swap: measureSwap,
  growth: measureGrowth,
};

const options = readOptions();

async function report(part: string, findings: Findings): Promise<void> {
  if (options.write) await writeFindings(part, findings);
}

await build();
const compared = Object.entries(comparing).filter(([part]) => options.parts.includes(part));
if (compared.length > 0) {
  const stand = await startStand();
  try {
    const targets = await startTargets(stand, options.targets);
    for (const [part, measure] of compared) await report(part, await measure(stand, targets, options));
  } finally {
    await stand.close();
  }
}
for (const [part, measure] of Object.entries(others))
  if (options.parts.includes(part)) await report(part, await measure(options));
