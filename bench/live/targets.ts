import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type DevKeys, openDevKeys } from '../../dev/keys.ts';
import { freePort } from '../../platform/free-port.ts';
import { type BenchProcess, startBenchProcess, startMeasuredServer } from './server-process.ts';

/** What subscribers connect to. */
export interface Target {
  readonly name: string;
  /** Address for WebSockets. */
  readonly url: string;
  /** The process whose memory and time count. */
  readonly server: BenchProcess;
}

/** What is in front of the subgraphs, with all that it needs. */
export interface Stand {
  readonly keys: DevKeys;
  readonly ticks: BenchProcess;
  /** Portico's gateway, then the subgraph itself, then Hive Gateway if it can be had. */
  readonly targets: readonly Target[];
  close(): Promise<void>;
}

interface ReadyMessage {
  readonly url: string;
  readonly ports: { readonly http: number; readonly management: number };
}

const run = promisify(execFile);
const hivePackage = '@graphql-hive/gateway';
const pollMs = 50;
const patienceMs = 60_000;

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
      started(startBenchProcess('subgraph.ts', 'catalogue', registryUrl)),
    ];
    const [{ url: ticksUrl }, { url: catalogueUrl }] = (await Promise.all(
      [ticks, catalogue].map(subgraph => subgraph.next<ReadyMessage>('ready')),
    )) as [ReadyMessage, ReadyMessage];
    const gateway = started(
      startMeasuredServer({
        program: 'dist/gateway/main.js',
        env: {
          GATEWAY_PORT: '0',
          MANAGEMENT_PORT: '0',
          EUREKA_URL: registryUrl,
          CALLER_SECRET: keys.callerSecret,
          JWT_JWKS_URL: keys.jwksUrl,
          GATEWAY_DATA_DIR: join(dataDir, 'gateway'),
        },
      }),
    );
    const { ports } = await gateway.next<ReadyMessage>('ready');
    const sdl = withAddresses(await supergraphOf(ports.management), {
      ticks: ticksUrl,
      catalogue: catalogueUrl,
    });
    const all: Record<string, () => Promise<Target | undefined>> = {
      portico: async () => ({
        name: 'Portico',
        url: `ws://127.0.0.1:${ports.http}/graphql`,
        server: gateway,
      }),
      direct: async () => ({ name: 'direct', url: ticksUrl.replace('http', 'ws'), server: ticks }),
      hive: () => startHive(dataDir, sdl, started),
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

async function startRegistry(started: (process: BenchProcess) => BenchProcess): Promise<string> {
  const registry = started(
    startMeasuredServer({
      program: 'dist/discovery/main.js',
      env: { DISCOVERY_PORT: '0', MANAGEMENT_PORT: '0' },
    }),
  );
  const { ports } = await registry.next<ReadyMessage>('ready');
  return `http://127.0.0.1:${ports.http}/eureka`;
}

/** The graph of both subgraphs, once the gateway has it. */
async function supergraphOf(managementPort: number): Promise<string> {
  const url = `http://127.0.0.1:${managementPort}/actuator/supergraph`;
  await until('a graph of both subgraphs', async () => {
    const { subgraphs } = (await (await fetch(url)).json()) as { subgraphs: unknown[] };
    return subgraphs.length === 2;
  });
  return (await fetch(`${url}/sdl`)).text();
}

/** Our gateway finds instances by the registry, and composes no addresses. */
function withAddresses(sdl: string, urls: Readonly<Record<string, string>>): string {
  return sdl.replaceAll(
    /@join__graph\(name: "(\w+)", url: "[^"]*"\)/g,
    (_graph, name: string) => `@join__graph(name: "${name}", url: "${urls[name]}")`,
  );
}

/** Installs the newest Hive Gateway and starts it with the supergraph that ours has composed. */
async function startHive(
  dataDir: string,
  sdl: string,
  started: (process: BenchProcess) => BenchProcess,
): Promise<Target | undefined> {
  const folder = join(dataDir, 'hive');
  const install = ['install', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund', hivePackage];
  try {
    await run('npm', install);
  } catch (error) {
    console.log(`${hivePackage} is skipped: npm could not install it (${(error as Error).message.trim()})`);
    return undefined;
  }
  const port = await freePort();
  await writeFile(join(folder, 'supergraph.graphql'), sdl);
  await writeFile(
    join(folder, 'gateway.config.mjs'),
    `export const gatewayConfig = {
      transportEntries: { '*.http': { options: { subscriptions: { kind: 'ws', location: '/graphql' } } } },
    };`,
  );
  const { default: manifest } = (await import(join(folder, 'node_modules', hivePackage, 'package.json'), {
    with: { type: 'json' },
  })) as { default: { version: string } };
  const server = started(
    startMeasuredServer({
      program: join(folder, 'node_modules', hivePackage, 'dist', 'bin.js'),
      args: ['supergraph', 'supergraph.graphql', '--host', '127.0.0.1', '--port', String(port)],
      cwd: folder,
      env: { NODE_ENV: 'production', FORK: '1' },
    }),
  );
  await until('Hive Gateway', async () => {
    const response = await fetch(`http://127.0.0.1:${port}/readiness`).catch(() => undefined);
    return response?.ok;
  });
  return { name: `Hive Gateway ${manifest.version}`, url: `ws://127.0.0.1:${port}/graphql`, server };
}

async function until<T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> {
  for (const deadlineMs = performance.now() + patienceMs; performance.now() < deadlineMs; ) {
    const found = await look();
    if (found) return found;
    await delay(pollMs);
  }
  throw new Error(`The bench expected ${what} within ${patienceMs} ms, but it did not come`);
}
