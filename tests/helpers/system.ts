import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import type { Child } from '../../dev/child.ts';
import { createGraphClient, type GraphClient } from '../../dev/graph-client.ts';
import { logToFiles } from '../../dev/logs.ts';
import { loadSystemSettings } from '../../dev/settings.ts';
import { type System, type SystemOptions, startSystem } from '../../dev/system.ts';
import { freePort } from '../../platform/free-port.ts';

/** A system that a scenario has for itself. */
export interface TestSystem {
  /** The running system. */
  readonly system: System;
  /** Folder of its data, removed at the end. */
  readonly dataDir: string;
  /** A client of the graph for a customer, closed at the end; without a name for nobody. */
  client(customer?: string, scopes?: readonly string[]): Promise<GraphClient>;
  /** A process that is expected to run. */
  child(name: string): Child;
  /** Address below `/actuator` of a process. */
  actuator(name: string, path: string): string;
}

type TestSystemOptions = Pick<SystemOptions, 'scale' | 'env'>;

/** Settings by which a system takes free ports. */
export const freePorts = {
  GATEWAY_PORT: '0',
  DISCOVERY_PORT: '0',
  POSTGRES_PORT: '0',
  KAFKA_PORT: '0',
  SUBGRAPH_BASE_PORT: '0',
  MANAGEMENT_BASE_PORT: '0',
};

/** Settings by which nothing collides with a system that runs on this machine. With KAFKA_BROKERS, those are used. */
export function isolatedSettings(dataDir: string, ports: Readonly<Record<string, string>> = {}) {
  return loadSystemSettings({
    ...freePorts,
    ...ports,
    PORTICO_DATA_DIR: dataDir,
    KAFKA_BROKERS: process.env['KAFKA_BROKERS'],
  });
}

/** Makes a folder for a system's data. PostgreSQL, which does not run as root, must be able to pass through it. */
export async function makeDataDir(): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), 'portico-test-'));
  await chmod(dataDir, 0o755);
  return dataDir;
}

/**
 * Gives the tests of a file a whole system on free ports with empty data, and ends it after them. With
 * `KEEP_TEST_DATA=1` the data and logs stay, and their place is printed.
 */
export function useSystem(options: TestSystemOptions = {}): TestSystem {
  let system: System | undefined;
  let dataDir = '';
  const clients: GraphClient[] = [];

  beforeAll(async () => {
    dataDir = await makeDataDir();
    system = await startSystem({
      // What clients connect to comes back where it was.
      settings: isolatedSettings(dataDir, {
        GATEWAY_PORT: String(await freePort()),
        DISCOVERY_PORT: String(await freePort()),
        KAFKA_PORT: String(await freePort()),
        POSTGRES_PORT: String(await freePort()),
      }),
      onLine: logToFiles(dataDir),
      ...options,
    });
  });
  afterAll(async () => {
    await Promise.all(clients.map(client => client.close()));
    await system?.close();
    if (process.env['KEEP_TEST_DATA']) console.log(`The data of this system is in ${dataDir}`);
    else await rm(dataDir, { recursive: true, force: true });
  });

  const running = () => {
    if (!system) throw new Error('The system expected to be started before it is used');
    return system;
  };
  const child = (name: string) => {
    const found = running().children.get(name);
    if (!found) throw new Error(`${name} expected to run, but does not`);
    return found;
  };
  return {
    get system() {
      return running();
    },
    get dataDir() {
      return dataDir;
    },
    async client(customer, scopes = []) {
      const token = customer === undefined ? undefined : await running().keys.mintToken(customer, { scopes });
      const client = createGraphClient(running().graphUrl, token);
      clients.push(client);
      return client;
    },
    child,
    actuator: (name, path) => `http://127.0.0.1:${child(name).ready.ports?.['management']}/actuator/${path}`,
  };
}
