import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openDevKeys } from '../../cli/keys.ts';
import { build } from '../../dev/build.ts';
import { installHive, type Started, startPortico, startRegistry, withAddresses } from '../parts.ts';
import { type BenchProcess, canPin, startBenchProcess, startMeasuredServer, usageOf } from '../process.ts';
import { loads, subgraphs } from './federation.ts';

const { values } = parseArgs({
  options: {
    targets: { type: 'string', default: 'portico,stock,hive,hive-dedup' },
    loads: { type: 'string', default: Object.keys(loads).join() },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '8' },
    'warm-up-seconds': { type: 'string', default: '3' },
    floors: { type: 'string', default: '' },
    write: { type: 'boolean', default: false },
    connections: { type: 'string', default: '50' },
  },
});
const [gatewayCore, otherCore] = [0, 1];
const docsFile = join(import.meta.dirname, '..', '..', 'docs', 'benchmarks.md');
const [beginMark, endMark] = ['<!-- npm run bench -- --write -->', '<!-- end -->'];
/** Lowest ratio to Apollo Gateway by load: `--floors heavy=50,hop=5`. */
const floors = new Map(
  values.floors
    .split(',')
    .filter(Boolean)
    .map(floor => floor.split('=') as [string, string]),
);

interface Target {
  readonly name: string;
  readonly url: string;
  readonly server: BenchProcess;
}

/** Figures of one run of a load. */
interface Figures {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Time of the gateway's process, over all its threads, for one request. */
  readonly cpuMs: number;
  readonly residentMiB: number;
}

const stockName = 'Apollo Gateway';
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
    targets.push({ name: stockName, url, server });
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
];

/** Digests of the answers of the target that was measured first. */
const digestByLoad = new Map<string, string>();

async function measure(
  loader: BenchProcess,
  target: Target,
  load: string,
  seconds: number,
): Promise<Figures> {
  const before = await usageOf(target.server, { settled: false });
  const done = loader.next<Omit<Figures, 'cpuMs' | 'residentMiB'> & { requests: number; digest: string }>(
    'done',
  );
  loader.send({ type: 'run', load, url: target.url, connections: Number(values.connections), seconds });
  const { requests, perSecond, p50Ms, p99Ms, digest } = await done;
  const expected = digestByLoad.get(load) ?? digest;
  digestByLoad.set(load, expected);
  if (digest !== expected)
    console.log(`${target.name} answers the load '${load}' otherwise than the first gateway`);
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

function tableOf(title: string, figures: ReadonlyMap<string, Figures>): string {
  const stock = figures.get(stockName);
  const rows = [...figures].map(([name, { perSecond, p50Ms, p99Ms, cpuMs, residentMiB }]) => {
    const ratio = stock ? `${(perSecond / stock.perSecond).toFixed(1)}×` : '';
    const cells = [perSecond.toFixed(0), ratio, p50Ms.toFixed(1), p99Ms.toFixed(1), cpuMs.toFixed(2)];
    return `| ${[name, ...cells, residentMiB.toFixed(0)].join(' | ')} |`;
  });
  return [
    `| ${title} | requests/s | to Apollo Gateway | p50 ms | p99 ms | CPU ms a request | memory MiB |`,
    '|---|---:|---:|---:|---:|---:|---:|',
    ...rows,
  ].join('\n');
}

/** Writes the tables, and where they are from, into the documentation. */
async function writeDocs(tables: readonly string[]): Promise<void> {
  const text = await readFile(docsFile, 'utf8');
  const [before = '', rest = ''] = text.split(beginMark);
  const [, after = ''] = rest.split(endMark);
  const pinned = canPin ? 'the gateway on one core and all others on another' : 'no process kept on a core';
  const made = [
    `Seen on ${new Date().toISOString().slice(0, 10)} with Node ${process.versions.node}, ${cpus()[0]?.model ?? 'an unknown processor'},`,
    `${availableParallelism()} cores, ${pinned}; ${values.connections} connections, the median of ${values.rounds} rounds of`,
    `${values.seconds} seconds after ${values['warm-up-seconds']} that do not count.`,
  ].join('\n');
  await writeFile(
    docsFile,
    [before, beginMark, '\n\n', [made, ...tables].join('\n\n'), '\n\n', endMark, after].join(''),
  );
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
  const tables: string[] = [];
  for (const load of values.loads.split(',')) {
    const title = loads[load]?.title ?? load;
    for (const target of targets) await measure(loader, target, load, Number(values['warm-up-seconds']));
    const rounds = new Map<string, Figures[]>(targets.map(({ name }) => [name, []]));
    for (let round = 0; round < Number(values.rounds); round++)
      for (const target of targets)
        rounds.get(target.name)?.push(await measure(loader, target, load, Number(values.seconds)));
    const medians = new Map([...rounds].map(([name, figures]) => [name, medianOf(figures)]));
    tables.push(tableOf(title, medians));
    console.log(`\n${tables.at(-1)}`);
    const ratio =
      (medians.get('Portico')?.perSecond ?? 0) / (medians.get(stockName)?.perSecond ?? Number.NaN);
    const floor = floors.get(load);
    if (floor !== undefined && !(ratio >= Number(floor))) {
      console.log(
        `The load '${load}' expected at least ${floor} times Apollo Gateway, but got ${ratio.toFixed(1)}`,
      );
      process.exitCode = 1;
    }
  }
  if (values.write) await writeDocs(tables);
} finally {
  for (const process of processes) await process.stop();
  await rm(dataDir, { recursive: true, force: true });
}
