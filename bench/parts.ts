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

/** Starts the gateway, and waits for its graph. @returns with the supergraph that it has composed */
export async function startPortico(
  started: Started,
  { registryUrl, dataDir, keys, subgraphs, core, env }: PorticoOptions,
): Promise<{ server: BenchProcess; port: number; sdl: string }> {
  const server = started(
    startMeasuredServer({
      program: 'dist/gateway/main.js',
      ...(core === undefined ? {} : { core }),
      env: {
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
  const url = `http://127.0.0.1:${ports.management}/actuator/supergraph`;
  await until(`a graph of ${subgraphs} subgraphs`, async () => {
    const graph = (await (await fetch(url)).json()) as { subgraphs: unknown[] };
    return graph.subgraphs.length === subgraphs;
  });
  return { server, port: ports.http, sdl: await (await fetch(`${url}/sdl`)).text() };
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
  /** Starts it with a supergraph. @returns its port */
  start(
    started: Started,
    options: { sdl: string; config: string; args?: readonly string[]; core?: number },
  ): Promise<{ server: BenchProcess; port: number }>;
}

/** Installs the newest Hive Gateway. @returns undefined, after saying why, when it can't be had */
export async function installHive(dataDir: string): Promise<Hive | undefined> {
  const folder = join(dataDir, 'hive');
  const options = ['--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund'];
  try {
    await run('npm', ['install', ...options, hivePackage]);
  } catch (error) {
    console.log(`${hivePackage} is skipped: npm could not install it (${(error as Error).message.trim()})`);
    return undefined;
  }
  const packageFolder = join(folder, 'node_modules', hivePackage);
  const manifest = JSON.parse(await readFile(join(packageFolder, 'package.json'), 'utf8')) as {
    version: string;
  };
  let count = 0;
  return {
    version: manifest.version,
    async start(started, { sdl, config, args = [], core }) {
      const port = await freePort();
      count += 1;
      const [sdlFile, configFile] = [`supergraph-${count}.graphql`, `gateway-${count}.config.mjs`];
      await writeFile(join(folder, sdlFile), sdl);
      await writeFile(join(folder, configFile), config);
      const address = ['--host', '127.0.0.1', '--port', String(port), '--config-path', configFile];
      const server = started(
        startMeasuredServer({
          program: join(packageFolder, 'dist', 'bin.js'),
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

/** Waits for something. @throws Error when it has not come in a minute */
export async function until<T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> {
  for (const deadlineMs = performance.now() + patienceMs; performance.now() < deadlineMs; ) {
    const found = await look();
    if (found) return found;
    await delay(pollMs);
  }
  throw new Error(`The bench expected ${what} within ${patienceMs} ms, but it did not come`);
}
