import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { type DevKeys, openDevKeys } from '../../cli/keys.ts';
import { type Child, startChild } from '../../dev/child.ts';
import { createGraphClient, type GraphClient } from '../../dev/graph-client.ts';
import { logToFiles } from '../../dev/logs.ts';
import { freePort } from '../../platform/free-port.ts';
import { metricsOf } from './metrics.ts';
import { serveTestSubgraph, type TestSubgraph, type TestSubgraphOptions } from './subgraph.ts';
import { makeDataDir } from './system.ts';

/** Answer of `/actuator/supergraph`, as far as tests look at it. */
export interface SupergraphView {
  readonly phase: string;
  readonly launch: number;
  readonly subgraphs: readonly {
    readonly name: string;
    readonly hash: string;
    readonly instances: { readonly up: number; readonly serving: number };
    readonly heldBack: readonly string[];
    readonly contributes: readonly string[];
  }[];
  readonly absent: readonly string[];
  readonly faults: readonly string[];
  readonly awaitingApproval: readonly {
    readonly subgraph: string;
    readonly hash: string;
    readonly sdlHash: string;
    readonly applications: readonly string[];
    readonly reasons: readonly string[];
  }[];
  readonly ignored: readonly { readonly service: string }[];
}

/** A registry and a gateway, with nothing of the shop. */
export interface Front {
  readonly registryUrl: string;
  readonly graphUrl: string;
  readonly gateway: Child;
  /** Keys of the tokens that the gateway accepts. */
  readonly keys: DevKeys;
  /** A client that nobody in particular uses. */
  readonly anyone: GraphClient;
  /** Serves a subgraph, which is closed at the end; it is not registered yet. */
  serve(options: Omit<TestSubgraphOptions, 'registryUrl'>): Promise<TestSubgraph>;
  /** Calls an endpoint below `/actuator` of the gateway. */
  actuator<T>(path: string, init?: RequestInit): Promise<{ status: number; body: T }>;
  supergraph(): Promise<SupergraphView>;
  /** The gateway's metrics as Prometheus reads them. */
  metrics(): Promise<string>;
  /** Log of a process since the first start, one JSON object a line. */
  log(name: 'gateway' | 'discovery'): string;
  /** Starts the gateway again on the same port and data. */
  startGateway(env?: Record<string, string>): Promise<void>;
  readonly discovery: Child;
  /** Starts the registry again on the same port. */
  startDiscovery(): Promise<void>;
}

interface FrontOptions {
  /** Settings of the gateway. */
  readonly env?: Record<string, string>;
  /** Settings of the registry. */
  readonly discoveryEnv?: Record<string, string>;
}

/** Gives the tests of a file a registry and a gateway, and ends them after the tests. */
export function useFront({ env = {}, discoveryEnv = {} }: FrontOptions = {}): Front {
  let dataDir = '';
  let discovery: Child | undefined;
  let gateway: Child | undefined;
  let gatewayPort = 0;
  let discoveryPort = 0;
  let keys: DevKeys | undefined;
  let anyone: GraphClient | undefined;
  const subgraphs: TestSubgraph[] = [];

  function running<T>(thing: T | undefined): T {
    if (!thing) throw new Error('The front expected to be started before it is used');
    return thing;
  }
  const registryUrl = () => `http://127.0.0.1:${running(discovery).ready.ports?.['http']}/eureka`;

  async function startGateway(more: Record<string, string> = {}): Promise<void> {
    gateway = await startChild({
      name: 'gateway',
      entry: 'gateway/main.ts',
      onLine: logToFiles(dataDir),
      env: {
        GATEWAY_PORT: String(gatewayPort),
        EUREKA_URL: registryUrl(),
        CALLER_SECRET: running(keys).callerSecret,
        JWT_JWKS_URL: running(keys).jwksUrl,
        GATEWAY_DATA_DIR: join(dataDir, 'gateway'),
        ...env,
        ...more,
      },
    });
  }

  async function startDiscovery(): Promise<void> {
    discovery = await startChild({
      name: 'discovery',
      entry: 'discovery/main.ts',
      onLine: logToFiles(dataDir),
      env: { DISCOVERY_PORT: String(discoveryPort), ...discoveryEnv },
    });
  }

  beforeAll(async () => {
    dataDir = await makeDataDir();
    gatewayPort = await freePort();
    discoveryPort = await freePort();
    keys = await openDevKeys(dataDir);
    await startDiscovery();
    await startGateway();
    anyone = createGraphClient(`http://127.0.0.1:${gatewayPort}/graphql`);
  });
  afterAll(async () => {
    await anyone?.close();
    await gateway?.stop();
    await Promise.all(subgraphs.map(subgraph => subgraph.close()));
    await discovery?.stop();
    if (process.env['KEEP_TEST_DATA']) console.log(`The data of this front is in ${dataDir}`);
    else await rm(dataDir, { recursive: true, force: true });
  });

  async function actuator<T>(path: string, init: RequestInit = {}) {
    const response = await fetch(
      `http://127.0.0.1:${running(gateway).ready.ports?.['management']}/actuator/${path}`,
      init.body ? { ...init, headers: { 'content-type': 'application/json' } } : init,
    );
    return { status: response.status, body: (await response.json()) as T };
  }

  return {
    get registryUrl() {
      return registryUrl();
    },
    get graphUrl() {
      return `http://127.0.0.1:${gatewayPort}/graphql`;
    },
    get gateway() {
      return running(gateway);
    },
    get keys() {
      return running(keys);
    },
    get anyone() {
      return running(anyone);
    },
    async serve(options) {
      const subgraph = await serveTestSubgraph({ ...options, registryUrl: registryUrl() });
      subgraphs.push(subgraph);
      return subgraph;
    },
    actuator,
    supergraph: async () => (await actuator<SupergraphView>('supergraph')).body,
    metrics: () => metricsOf(running(gateway)),
    log: name => readFileSync(join(dataDir, 'logs', `${name}.log`), 'utf8'),
    startGateway,
    get discovery() {
      return running(discovery);
    },
    startDiscovery,
  };
}
