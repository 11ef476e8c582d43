import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, vi } from 'vitest';
import { type DevKeys, openDevKeys } from '../../../cli/keys.ts';
import { rootDir } from '../../../dev/settings.ts';
import { freePort } from '../../../platform/free-port.ts';
import { serviceNames } from '../../../services.ts';
import type { ReadSystem } from '../../chaos/read-evidence.ts';
import type { Engine } from './engine.ts';

/** Longest time from the start until every container is healthy, on a machine that has two cores. */
const startTimeoutMs = 300_000;

/** What a Compose file describes, as it runs. */
export interface Deployment {
  /** Runs `docker compose` with these arguments. @returns what it prints */
  compose(...args: readonly string[]): Promise<string>;
  /** Runs a program in the container of a service. @returns what it prints */
  exec(service: string, ...command: readonly string[]): Promise<string>;
  /** Runs the demonstration against it. @returns what it prints */
  demo(): Promise<string>;
  /** The graph, and where its data can be read now: a container that comes back may have another address. */
  locate(): Promise<ReadSystem>;
  /** Ends the first process of a service's first container as a crash would, by SIGKILL. */
  crash(service: string): Promise<void>;
  /** Waits until the containers of a service are healthy, and those that crashed have been started again. */
  untilHealthy(...services: readonly string[]): Promise<void>;
  /** Names of the services whose containers have been started again by the engine, once for each time. */
  restarted(): Promise<string[]>;
  /** Ends it, and removes its volumes. */
  close(): Promise<void>;
}

interface Container {
  readonly ID: string;
  readonly Service: string;
  readonly State: string;
  readonly Health: string;
}

/**
 * Starts what Compose files describe, as from a clean clone: without a `.env`. Grafana is left out, for which there is no
 * stand-in.
 */
export async function deploy(
  { docker }: Engine,
  options: { readonly args: readonly string[]; readonly folder: string },
): Promise<Deployment> {
  const ports = ['GATEWAY_PORT', 'DISCOVERY_PORT', 'PROMETHEUS_PORT', 'ALERTMANAGER_PORT'];
  const env = Object.fromEntries(
    await Promise.all(ports.map(async name => [name, String(await freePort())] as const)),
  ) as Record<string, string>;
  const compose = (...args: readonly string[]) =>
    docker(['compose', '--env-file', '/dev/null', ...options.args, ...args], env);
  const containers = async () =>
    (await compose('ps', '--all', '--format', 'json'))
      .split('\n')
      .filter(line => line !== '')
      .map(line => JSON.parse(line) as Container);

  const inspect = async (id: string, format: string) =>
    (await docker(['inspect', '--format', format, id])).trim();
  /** When containers were started that have crashed, by their ids. */
  const crashed = new Map<string, string>();

  async function untilHealthy(...services: readonly string[]): Promise<void> {
    await vi.waitFor(
      async () => {
        // The engine takes a moment to notice.
        for (const [id, startedAt] of crashed)
          expect(await inspect(id, '{{.State.StartedAt}}')).not.toBe(startedAt);
        const waitedFor = (await containers()).filter(({ Service }) => services.includes(Service));
        expect(new Set(waitedFor.map(({ Service }) => Service))).toEqual(new Set(services));
        expect(waitedFor.filter(({ Health }) => Health !== 'healthy')).toEqual([]);
      },
      { timeout: startTimeoutMs, interval: 500 },
    );
  }

  async function openKeys(): Promise<{ readonly dataDir: string; readonly keys: DevKeys }> {
    const dataDir = join(options.folder, 'keys');
    await rm(dataDir, { recursive: true, force: true });
    await compose('cp', 'token:/data/.', dataDir);
    return { dataDir, keys: await openDevKeys(dataDir) };
  }

  /** Address of a service in a network. This machine is in each of them. */
  async function addressOf(service: string, network: string): Promise<string> {
    const [container] = (await containers()).filter(({ Service }) => Service === service);
    const networks = JSON.parse(
      await inspect(container?.ID ?? service, '{{json .NetworkSettings.Networks}}'),
    ) as Record<string, { readonly IPAddress: string }>;
    const [, found] = Object.entries(networks).find(([name]) => name.endsWith(`_${network}`)) ?? [];
    if (!found) throw new Error(`${service} expected to be in the network ${network}, but is not`);
    return found.IPAddress;
  }

  async function locate(): Promise<ReadSystem> {
    const exec = (...command: string[]) => compose('exec', '--no-TTY', ...command);
    const host = await addressOf('postgres', 'databases');
    const urls = serviceNames.map(async name => {
      const url = new URL((await exec(name, 'cat', '/run/secrets/DATABASE_URL')).trim());
      url.hostname = host;
      return [name, url.href] as const;
    });
    const brokers = (await exec('orders', 'printenv', 'KAFKA_BROKERS')).trim();
    const addresses = brokers.split(',').map(async broker => {
      const [name = ''] = broker.split(':');
      return [name, await addressOf(name, 'events')] as const;
    });
    return {
      graphUrl: `http://127.0.0.1:${env['GATEWAY_PORT']}/graphql`,
      keys: (await openKeys()).keys,
      databaseUrls: Object.fromEntries(await Promise.all(urls)) as ReadSystem['databaseUrls'],
      kafkaBrokers: brokers,
      brokerAddresses: Object.fromEntries(await Promise.all(addresses)),
    };
  }

  await compose('up', '--detach', '--no-build', '--pull', 'never', '--scale', 'grafana=0');
  return {
    compose,
    locate,
    untilHealthy,
    exec: (service, ...command) => compose('exec', '--no-TTY', service, ...command),
    async demo() {
      const { dataDir } = await openKeys();
      const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', 'dev/demo.ts'], {
        cwd: rootDir,
        env: { ...process.env, ...env, PORTICO_DATA_DIR: dataDir },
      });
      return stdout;
    },
    async crash(service) {
      const [container] = (await containers()).filter(({ Service }) => Service === service);
      const id = container?.ID ?? service;
      crashed.set(id, await inspect(id, '{{.State.StartedAt}}'));
      process.kill(Number(await inspect(id, '{{.State.Pid}}')), 'SIGKILL');
    },
    async restarted() {
      const counts = (await containers()).map(async ({ ID, Service }) =>
        Array.from({ length: Number(await inspect(ID, '{{.RestartCount}}')) }, () => Service),
      );
      return (await Promise.all(counts)).flat();
    },
    async close() {
      await compose('down', '--volumes', '--timeout', '20');
    },
  };
}
