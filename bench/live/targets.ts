import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DevKeys, openDevKeys } from '../../cli/keys.ts';
import { installHive, type ReadyMessage, startPortico, startRegistry, withAddresses } from '../parts.ts';
import { type BenchProcess, startBenchProcess, startMeasuredServer } from '../process.ts';

/** Endpoint that subscribers connect to. */
export interface Target {
  readonly name: string;
  /** Address for WebSockets. */
  readonly url: string;
  /** The process whose memory and time count. */
  readonly server: BenchProcess;
}

/** The gateway in front of the subgraphs, with all that it needs. */
export interface Stand {
  readonly keys: DevKeys;
  readonly ticks: BenchProcess;
  /** Portico's gateway, then the subgraph itself, then Hive Gateway if it can be had. */
  readonly targets: readonly Target[];
  close(): Promise<void>;
}

/** Configuration by which Hive Gateway subscribes to subgraphs over WebSockets. */
const hiveConfig = `export const gatewayConfig = {
  transportEntries: { '*.http': { options: { subscriptions: { kind: 'ws', location: '/graphql' } } } },
};`;

/** Starts a registry, two subgraphs and what is measured in front of them, each in a process of its own. */
export async function startStand(names: readonly string[]): Promise<Stand> {
  const dataDir = await mkdtemp(join(tmpdir(), 'portico-bench-'));
  const processes: BenchProcess[] = [];
  const started = (process: BenchProcess) => {
    processes.unshift(process);
    return process;
  };
  const close = async () => {
    for (const process of processes) await process.stop();
    await rm(dataDir, { recursive: true, force: true });
  };
  try {
    const keys = await openDevKeys(dataDir);
    const registryUrl = await startRegistry(started);
    const [ticks, catalogue] = [
      started(startMeasuredServer({ program: 'bench/live/subgraph.ts', args: ['ticks', registryUrl] })),
      started(startBenchProcess('bench/live/subgraph.ts', { args: ['catalogue', registryUrl] })),
    ];
    const [{ url: ticksUrl }, { url: catalogueUrl }] = (await Promise.all(
      [ticks, catalogue].map(subgraph => subgraph.next<ReadyMessage>('ready')),
    )) as [ReadyMessage, ReadyMessage];
    const portico = await startPortico(started, { registryUrl, dataDir, keys, subgraphs: 2 });
    const sdl = withAddresses(portico.sdl, { ticks: ticksUrl, catalogue: catalogueUrl });
    const all: Record<string, () => Promise<Target | undefined>> = {
      portico: async () => ({
        name: 'Portico',
        url: `ws://127.0.0.1:${portico.port}/graphql`,
        server: portico.server,
      }),
      direct: async () => ({ name: 'direct', url: ticksUrl.replace('http', 'ws'), server: ticks }),
      hive: async () => {
        const hive = await installHive(dataDir);
        if (!hive) return undefined;
        const { port, server } = await hive.start(started, { sdl, config: hiveConfig });
        return { name: `Hive Gateway ${hive.version}`, url: `ws://127.0.0.1:${port}/graphql`, server };
      },
    };
    const targets: Target[] = [];
    for (const name of names) {
      const target = await all[name]?.();
      if (target) targets.push(target);
    }
    return { keys, ticks, targets, close };
  } catch (error) {
    await close();
    throw error;
  }
}
