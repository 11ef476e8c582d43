import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from '../../dev/build.ts';
import { openDevKeys } from '../../dev/keys.ts';
import { installHive, type Started, startPortico, startRegistry, withAddresses } from '../parts.ts';
import { type BenchProcess, startBenchProcess, startMeasuredServer, usageOf } from '../process.ts';
import { loads, subgraphs } from './federation.ts';

const { values } = parseArgs({
  options: {
    targets: { type: 'string', default: 'portico,stock,hive,hive-dedup,hive-router' },
    loads: { type: 'string', default: Object.keys(loads).join() },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '8' },
    connections: { type: 'string', default: '50' },
  },
});
const [gatewayCore, otherCore] = [0, 1];

interface Target {
  readonly name: string;
  readonly url: string;
  readonly server: BenchProcess;
}

/** What one run of a load showed. */
interface Figures {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Time of the gateway's process, over all its threads, for one request. */
  readonly cpuMs: number;
  readonly residentMiB: number;
}

const processes: BenchProcess[] = [];
const started: Started = process => {
  processes.unshift(process);
  return process;
};
const dataDir = await mkdtemp(join(tmpdir(), 'portico-bench-'));

async function startTargets(registryUrl: string, urls: Readonly<Record<string, string>>): Promise<Target[]> {
  const keys = await openDevKeys(dataDir);
  const portico = await startPortico(started, {
    registryUrl,
    dataDir,
    keys,
    subgraphs: Object.keys(subgraphs).length,
    core: gatewayCore,
  });
  const sdl = withAddresses(portico.sdl, urls);
  const sdlFile = join(dataDir, 'supergraph.graphql');
  await writeFile(sdlFile, sdl);
  const targets = [{ name: 'Portico', url: `http://127.0.0.1:${portico.port}/`, server: portico.server }];
  const names = values.targets.split(',');
  if (names.includes('stock')) {
    const server = started(
      startMeasuredServer({
        program: 'bench/queries/stock.ts',
        args: [sdlFile],
        core: gatewayCore,
        env: { NODE_ENV: 'production' },
      }),
    );
    const { url } = await server.next<{ url: string }>('ready');
    targets.push({ name: 'Apollo Gateway', url, server });
  }
  const hives = hiveConfigs.filter(({ id }) => names.includes(id));
  const hive = hives.length > 0 ? await installHive(dataDir) : undefined;
  for (const { name, config } of hive ? hives : []) {
    const given = { sdl, config, args: ['--jit'], core: gatewayCore };
    const running = await hive?.start(started, given);
    if (running)
      targets.push({
        name: `${name} ${hive?.version}`,
        url: `http://127.0.0.1:${running.port}/`,
        server: running.server,
      });
  }
  return targets;
}

const passLanguage = `propagateHeaders: { fromClientToSubgraphs: ({ request }) => ({ 'accept-language': request.headers.get('accept-language') ?? undefined }) }`;
const hiveConfigs = [
  {
    id: 'hive',
    name: 'Hive Gateway',
    config: `export const gatewayConfig = { ${passLanguage}, inboundInflightRequestDeduplication: false };`,
  },
  {
    id: 'hive-dedup',
    name: 'Hive Gateway, inbound deduplication',
    config: `export const gatewayConfig = { ${passLanguage}, inboundInflightRequestDeduplication: true };`,
  },
  {
    id: 'hive-router',
    name: 'Hive Gateway, router runtime',
    config: `import { unifiedGraphHandler } from '@graphql-hive/router-runtime';
      export const gatewayConfig = { ${passLanguage}, unifiedGraphHandler };`,
  },
];

async function measure(
  loader: BenchProcess,
  target: Target,
  load: string,
  seconds: number,
): Promise<Figures> {
  const before = await usageOf(target.server, { settled: false });
  const done = loader.next<Omit<Figures, 'cpuMs' | 'residentMiB'> & { requests: number }>('done');
  loader.send({ type: 'run', load, url: target.url, connections: Number(values.connections), seconds });
  const { requests, perSecond, p50Ms, p99Ms } = await done;
  const after = await usageOf(target.server, { settled: false });
  return {
    perSecond,
    p50Ms,
    p99Ms,
    cpuMs: (after.cpuMs - before.cpuMs) / requests,
    residentMiB: after.residentBytes / 2 ** 20,
  };
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function medianOf(rounds: readonly Figures[]): Figures {
  const [first] = rounds;
  const names = Object.keys(first ?? {}) as (keyof Figures)[];
  return Object.fromEntries(names.map(name => [name, median(rounds.map(each => each[name]))])) as never;
}

function print(title: string, figures: ReadonlyMap<string, Figures>): void {
  const stock = figures.get('Apollo Gateway');
  console.log(`\n| ${title} | requests/s | to stock | p50 ms | p99 ms | CPU ms a request | memory MiB |`);
  console.log('|---|---:|---:|---:|---:|---:|---:|');
  for (const [name, { perSecond, p50Ms, p99Ms, cpuMs, residentMiB }] of figures) {
    const ratio = stock ? `${(perSecond / stock.perSecond).toFixed(1)}×` : '';
    const cells = [perSecond.toFixed(0), ratio, p50Ms.toFixed(1), p99Ms.toFixed(1), cpuMs.toFixed(2)];
    console.log(`| ${[name, ...cells, residentMiB.toFixed(0)].join(' | ')} |`);
  }
}

await build();
try {
  const registryUrl = await startRegistry(started);
  const parts = started(
    startBenchProcess('bench/queries/subgraphs.ts', { args: [registryUrl], core: otherCore }),
  );
  const { urls } = await parts.next<{ urls: Record<string, string> }>('ready');
  const loader = started(startBenchProcess('bench/queries/load.ts', { core: otherCore }));
  await loader.next('ready');
  const targets = await startTargets(registryUrl, urls);
  for (const load of values.loads.split(',')) {
    const title = loads[load]?.title ?? load;
    for (const target of targets) await measure(loader, target, load, 3);
    const rounds = new Map<string, Figures[]>(targets.map(({ name }) => [name, []]));
    for (let round = 0; round < Number(values.rounds); round++)
      for (const target of targets)
        rounds.get(target.name)?.push(await measure(loader, target, load, Number(values.seconds)));
    print(title, new Map([...rounds].map(([name, figures]) => [name, medianOf(figures)])));
  }
} finally {
  for (const process of processes) await process.stop();
  await rm(dataDir, { recursive: true, force: true });
}
