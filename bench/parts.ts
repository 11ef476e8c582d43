import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { DevKeys } from '../cli/keys.ts';
import { freePort } from '../platform/free-port.ts';
import { type BenchProcess, startMeasuredServer } from './process.ts';

/** Keeps a process, so that it is stopped with the others. */
export type Started = (process: BenchProcess) => BenchProcess;

/** Message of a server under measurement when it serves. */
export interface ReadyMessage {
  readonly url: string;
  readonly ports: { readonly http: number; readonly management: number };
}

const run = promisify(execFile);
const hivePackage = '@graphql-hive/gateway';
const pollMs = 50;
const patienceMs = 60_000;

/** Starts the registry. @returns its Eureka address */
export async function startRegistry(started: Started): Promise<string> {
  const registry = started(
    startMeasuredServer({
      program: 'dist/discovery/main.js',
      env: { DISCOVERY_PORT: '0', MANAGEMENT_PORT: '0' },
    }),
  );
  const { ports } = await registry.next<ReadyMessage>('ready');
  return `http://127.0.0.1:${ports.http}/eureka`;
}

interface PorticoOptions {
  readonly registryUrl: string;
  readonly dataDir: string;
  readonly keys: DevKeys;
  /** Subgraphs that the graph has to have. */
  readonly subgraphs: number;
  readonly core?: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** Gateway of ours that serves, maybe without a graph yet. */
export interface Portico {
  readonly server: BenchProcess;
  readonly port: number;
  /** Address of what `/actuator/supergraph` tells. */
  readonly supergraphUrl: string;
}

/** Starts the gateway, which may have no graph yet. */
export async function launchPortico(
  started: Started,
  { registryUrl, dataDir, keys, core, env }: Omit<PorticoOptions, 'subgraphs'>,
): Promise<Portico> {
  const server = started(
    startMeasuredServer({
      program: 'dist/gateway/main.js',
      ...(core === undefined ? {} : { core }),
      env: {
        NODE_ENV: 'production',
        GATEWAY_PORT: '0',
        MANAGEMENT_PORT: '0',
        EUREKA_URL: registryUrl,
        CALLER_SECRET: keys.callerSecret,
        JWT_JWKS_URL: keys.jwksUrl,
        GATEWAY_DATA_DIR: join(dataDir, 'gateway'),
        ...env,
      },
    }),
  );
  const { ports } = await server.next<ReadyMessage>('ready');
  const supergraphUrl = `http://127.0.0.1:${ports.management}/actuator/supergraph`;
  return { server, port: ports.http, supergraphUrl };
}

/** Waits for a graph with so many subgraphs. */
export async function untilGraph({ supergraphUrl }: Portico, subgraphs: number): Promise<void> {
  await until(`a graph of ${subgraphs} subgraphs`, async () => {
    const graph = (await (await fetch(supergraphUrl)).json()) as { subgraphs: unknown[] };
    return graph.subgraphs.length === subgraphs;
  });
}

/** Starts the gateway, and waits for its graph. @returns with the supergraph that it has composed */
export async function startPortico(
  started: Started,
  { subgraphs, ...options }: PorticoOptions,
): Promise<Portico & { sdl: string }> {
  const portico = await launchPortico(started, options);
  await untilGraph(portico, subgraphs);
  return { ...portico, sdl: await (await fetch(`${portico.supergraphUrl}/sdl`)).text() };
}

/** Tells whether a gateway answers a query with data, and with that alone. */
export async function answers(url: string, query: string): Promise<boolean> {
  const response = await fetch(new URL('/graphql', url), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query }),
  }).catch(() => undefined);
  if (!response?.ok) return false;
  const { data, errors } = (await response.json()) as { data?: unknown; errors?: unknown };
  return data !== undefined && data !== null && errors === undefined;
}

/** Gives a supergraph addresses: our gateway finds instances by the registry, and composes none. */
export function withAddresses(sdl: string, urls: Readonly<Record<string, string>>): string {
  return sdl.replaceAll(
    /@join__graph\(name: "(\w+)", url: "[^"]*"\)/g,
    (_graph, name: string) => `@join__graph(name: "${name}", url: "${urls[name]}")`,
  );
}

/** A Hive Gateway that npm has installed. */
export interface Hive {
  readonly version: string;
  /** Version of a package beside it. */
  versionOf(name: string): Promise<string>;
  /** Starts it with a supergraph. @returns its port */
  start(
    started: Started,
    options: { sdl: string; config: string; args?: readonly string[]; core?: number },
  ): Promise<{ server: BenchProcess; port: number }>;
}

/** Installs the newest Hive Gateway, and packages beside it. @returns undefined, after saying why, when it can't be had */
export async function installHive(
  dataDir: string,
  ...packages: readonly string[]
): Promise<Hive | undefined> {
  const folder = join(dataDir, 'hive');
  const options = ['--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund'];
  try {
    await run('npm', ['install', ...options, hivePackage, ...packages]);
  } catch (error) {
    console.log(`${hivePackage} is skipped: npm could not install it (${(error as Error).message.trim()})`);
    return undefined;
  }
  const folderOf = (name: string) => join(folder, 'node_modules', name);
  const versionOf = async (name: string) => {
    const manifest = await readFile(join(folderOf(name), 'package.json'), 'utf8');
    return (JSON.parse(manifest) as { version: string }).version;
  };
  let count = 0;
  return {
    version: await versionOf(hivePackage),
    versionOf,
    async start(started, { sdl, config, args = [], core }) {
      const port = await freePort();
      count += 1;
      const [sdlFile, configFile] = [`supergraph-${count}.graphql`, `gateway-${count}.config.mjs`];
      await writeFile(join(folder, sdlFile), sdl);
      await writeFile(join(folder, configFile), config);
      const address = ['--host', '127.0.0.1', '--port', String(port), '--config-path', configFile];
      const server = started(
        startMeasuredServer({
          program: join(folderOf(hivePackage), 'dist', 'bin.js'),
          args: ['supergraph', sdlFile, ...address, ...args],
          cwd: folder,
          env: { NODE_ENV: 'production', FORK: '1' },
          ...(core === undefined ? {} : { core }),
        }),
      );
      await until('Hive Gateway', async () => {
        const response = await fetch(`http://127.0.0.1:${port}/readiness`).catch(() => undefined);
        return response?.ok;
      });
      return { server, port };
    },
  };
}

/** Waits for something, and looks for it again and again. @throws Error when it has not come in a minute */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false>,
  intervalMs = pollMs,
): Promise<T> {
  for (const deadlineMs = performance.now() + patienceMs; performance.now() < deadlineMs; ) {
    const found = await look();
    if (found) return found;
    await delay(intervalMs);
  }
  throw new Error(`The bench expected ${what} within ${patienceMs} ms, but it did not come`);
}
