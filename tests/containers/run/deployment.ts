import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, vi } from 'vitest';
import { rootDir } from '../../../dev/settings.ts';
import { freePort } from '../../../platform/free-port.ts';
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
  /** Ends a container's first process as a crash would, by SIGKILL. */
  crash(service: string): Promise<void>;
  /** Waits until the containers of a service are healthy. */
  untilHealthy(...services: readonly string[]): Promise<void>;
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

  async function untilHealthy(...services: readonly string[]): Promise<void> {
    await vi.waitFor(
      async () => {
        const waitedFor = (await containers()).filter(({ Service }) => services.includes(Service));
        expect(new Set(waitedFor.map(({ Service }) => Service))).toEqual(new Set(services));
        expect(waitedFor.filter(({ Health }) => Health !== 'healthy')).toEqual([]);
      },
      { timeout: startTimeoutMs, interval: 500 },
    );
  }

  await compose('up', '--detach', '--no-build', '--pull', 'never', '--scale', 'grafana=0');
  return {
    compose,
    untilHealthy,
    exec: (service, ...command) => compose('exec', '--no-TTY', service, ...command),
    async demo() {
      const dataDir = join(options.folder, 'keys');
      await rm(dataDir, { recursive: true, force: true });
      await compose('cp', 'token:/data/.', dataDir);
      const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', 'dev/demo.ts'], {
        cwd: rootDir,
        env: { ...process.env, ...env, PORTICO_DATA_DIR: dataDir },
      });
      return stdout;
    },
    async crash(service) {
      const [container] = (await containers()).filter(({ Service }) => Service === service);
      const pid = await docker(['inspect', '--format', '{{.State.Pid}}', container?.ID ?? service]);
      process.kill(Number(pid), 'SIGKILL');
    },
    async close() {
      await compose('down', '--volumes', '--timeout', '20');
    },
  };
}
