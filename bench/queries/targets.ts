import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { installHive, type Portico, startPortico, withAddresses } from '../parts.ts';
import { startMeasuredServer } from '../process.ts';
import { loads } from './federation.ts';
import type { Target } from './loader.ts';
import { startRouters } from './routers.ts';
import { gatewayCore, type Stand } from './stand.ts';

const runtimePackage = '@graphql-hive/router-runtime';
const { version: stockVersion } = createRequire(import.meta.url)('@apollo/gateway/package.json') as {
  version: string;
};
const passLanguage = `propagateHeaders: { fromClientToSubgraphs: ({ request }) => ({ 'accept-language': request.headers.get('accept-language') ?? undefined }) }`;
const hives = [
  { id: 'hive', name: 'Hive Gateway', deduplicates: false, args: ['--jit'] },
  { id: 'hive-dedup', name: 'Hive Gateway, inbound deduplication', deduplicates: true, args: ['--jit'] },
  // It takes the place of what `--jit` would compile.
  {
    id: 'hive-runtime',
    name: 'Hive Gateway, router-runtime',
    deduplicates: false,
    args: ['--hive-router-runtime'],
  },
];

/** Two hundred heavy requests at once ask one subgraph more often than the default lets them. */
const manyFetches = { SUBGRAPH_MAX_CONCURRENT: '5000' };

/** Ids of all targets, in the order of the tables. */
export const targetIds = ['portico', 'stock', ...hives.map(({ id }) => id), 'router'];

/** Starts the gateways that are measured, Portico first, and leaves out any that does not answer alike. */
export async function startTargets(stand: Stand, ids: readonly string[]): Promise<Target[]> {
  const { started, subgraphs, urls } = stand;
  const portico = await startPortico(started, { ...stand, core: gatewayCore, env: manyFetches });
  const sdl = withAddresses(portico.sdl, urls);
  const targets = [targetOf(portico)];
  if (ids.includes('stock')) targets.push(await startStock(stand, sdl));
  targets.push(...(await startHives(stand, sdl, ids)));
  if (ids.includes('router')) targets.push(...(await startRouters(stand, sdl)));
  console.log(`${subgraphs} subgraphs; ${targets.map(({ name }) => name).join(', ')}`);
  return keepWhole(stand, targets);
}

/** A gateway of ours as a target. */
export function targetOf({ port, server }: Portico): Target {
  return { id: 'portico', name: 'Portico', url: `http://127.0.0.1:${port}/`, server };
}

/** Starts stock Apollo Gateway over a supergraph with addresses. */
export async function startStock({ started, dataDir }: Stand, sdl: string): Promise<Target> {
  const sdlFile = join(dataDir, 'supergraph.graphql');
  await writeFile(sdlFile, sdl);
  const server = started(
    startMeasuredServer({
      program: 'bench/queries/stock.ts',
      args: [sdlFile],
      core: gatewayCore,
      env: { NODE_ENV: 'production' },
    }),
  );
  const { url } = await server.next<{ url: string }>('ready');
  return { id: 'stock', name: `Apollo Gateway ${stockVersion}`, url, server };
}

async function startHives(
  { started, dataDir }: Stand,
  sdl: string,
  ids: readonly string[],
): Promise<Target[]> {
  const wanted = hives.filter(({ id }) => ids.includes(id));
  const hive = wanted.length > 0 ? await installHive(dataDir, runtimePackage) : undefined;
  const targets: Target[] = [];
  for (const { id, name, deduplicates, args } of hive ? wanted : []) {
    const config = `export const gatewayConfig = { ${passLanguage}, inboundInflightRequestDeduplication: ${deduplicates} };`;
    const running = await hive?.start(started, { sdl, config, args, core: gatewayCore });
    const version = id === 'hive-runtime' ? await hive?.versionOf(runtimePackage) : hive?.version;
    if (running)
      targets.push({
        id,
        name: `${name} ${version}`,
        url: `http://127.0.0.1:${running.port}/`,
        server: running.server,
      });
  }
  return targets;
}

/** Stops each target that answers a load otherwise than the first, and says so. */
async function keepWhole({ loader }: Stand, targets: readonly Target[]): Promise<Target[]> {
  const digests = new Map<string, string | undefined>();
  const kept: Target[] = [];
  for (const target of targets) {
    const faults: string[] = [];
    for (const load of Object.keys(loads)) {
      const { digest, fault } = await loader.check(target, load);
      const expected = digests.get(load) ?? digest;
      digests.set(load, expected);
      if (fault || digest !== expected)
        faults.push(`the load '${load}' ${fault ?? 'is answered otherwise than by the first gateway'}`);
    }
    if (faults.length === 0) kept.push(target);
    else {
      console.log(`${target.name} is left out: ${faults[0]}`);
      await target.server.stop();
    }
  }
  return kept;
}
