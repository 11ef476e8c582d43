import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DevKeys, openDevKeys } from '../../cli/keys.ts';
import { type Started, startRegistry } from '../parts.ts';
import { type BenchProcess, startBenchProcess } from '../process.ts';
import { subgraphs } from './federation.ts';
import { type Loader, startLoader } from './loader.ts';

/** Core of the gateway under measurement, and core of all other processes. */
export const [gatewayCore, otherCore] = [0, 1];

/** What gateways are measured on: a registry, subgraphs, and the process that sends requests. */
export interface Stand {
  readonly registryUrl: string;
  readonly keys: DevKeys;
  readonly dataDir: string;
  readonly started: Started;
  readonly loader: Loader;
  /** How many subgraphs there are. */
  readonly subgraphs: number;
  readonly urls: Readonly<Record<string, string>>;
  /** Gives the subgraph `changing` another schema, in which `Query` has the field `version<number>`. */
  change(version: number): Promise<void>;
  close(): Promise<void>;
}

/**
 * Starts what gateways are measured on.
 *
 * @param count how many subgraphs there are. Beyond those that are asked, one changes, and the others are there to be
 * composed. @default only those that are asked
 */
export async function startStand(count = Object.keys(subgraphs).length): Promise<Stand> {
  const dataDir = await mkdtemp(join(tmpdir(), 'portico-bench-'));
  const processes: BenchProcess[] = [];
  const started: Started = process => {
    processes.unshift(process);
    return process;
  };
  const close = async () => {
    for (const process of processes) await process.stop();
    await rm(dataDir, { recursive: true, force: true });
  };
  try {
    const registryUrl = await startRegistry(started);
    const args = [registryUrl, String(count)];
    const parts = started(startBenchProcess('bench/queries/subgraphs.ts', { args, core: otherCore }));
    const { urls } = await parts.next<{ urls: Record<string, string> }>('ready');
    return {
      registryUrl,
      keys: await openDevKeys(dataDir),
      dataDir,
      started,
      loader: await startLoader(started, otherCore),
      subgraphs: count,
      urls,
      async change(version) {
        const changed = parts.next('changed');
        parts.send({ type: 'change', version });
        await changed;
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
