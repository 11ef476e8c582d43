import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { rootDir } from '../../dev/settings.ts';
import { serviceNames } from '../../services.ts';
import { findPlugin } from './run/engine.ts';

/** A service as Compose itself reads it: merged, extended, and with its defaults. */
interface ReadService {
  readonly image: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly logging?: { readonly options?: Readonly<Record<string, string>> };
  readonly deploy?: {
    readonly replicas?: number;
    readonly resources: { readonly limits: { readonly memory: string; readonly pids: number } };
  };
  readonly ports?: readonly { readonly host_ip: string; readonly published: string }[];
  readonly volumes?: readonly { readonly source: string; readonly target: string }[];
  readonly networks?: Readonly<Record<string, unknown>>;
}

interface ReadFiles {
  readonly name: string;
  readonly services: Readonly<Record<string, ReadService>>;
}

const compose = findPlugin('docker-compose');
const version = compose ? await run('version', '--short').catch(() => '1') : '0';
// It knows !reset and !override since then.
const [major = 0, minor = 0] = version.replace('v', '').split('.').map(Number);
const isThere = major > 2 || (major === 2 && minor >= 24);
if (!isThere)
  console.warn(
    "SKIPPED: Docker's plugin Compose is not installed, or older than 2.24, so that it did not read the Compose files.",
  );

async function run(...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(compose ?? '', args as string[], {
    cwd: rootDir,
    maxBuffer: 16 * 1024 * 1024,
  });
  return stdout.trim();
}

async function read(...args: readonly string[]): Promise<ReadFiles> {
  return JSON.parse(await run('--env-file', '/dev/null', ...args, 'config', '--format', 'json')) as ReadFiles;
}

describe.skipIf(!isThere)('Compose', () => {
  const ha = ['--file', 'docker-compose.yml', '--file', 'docker-compose.ha.yml'];

  test.each([
    ['docker-compose.yml', []],
    ['the profile alerts', ['--profile', 'alerts']],
    ['docker-compose.ha.yml', ha],
    ['docker-compose.ha.yml with the profile alerts', [...ha, '--profile', 'alerts']],
  ])('reads %s, and hardens every container of it', async (_what, args) => {
    const { services } = await read(...args);
    expect('alertmanager' in services).toBe(args.includes('alerts'));
    for (const [name, service] of Object.entries(services)) {
      expect(service.read_only, name).toBe(true);
      expect(service.cap_drop, name).toEqual(['ALL']);
      expect(service.security_opt, name).toEqual(['no-new-privileges:true']);
      expect(service.logging?.options?.['max-size'], name).toBe('10m');
      expect(Number(service.deploy?.resources.limits.memory), name).toBeGreaterThan(0);
      expect(service.deploy?.resources.limits.pids, name).toBeGreaterThan(0);
      for (const { host_ip } of service.ports ?? []) expect(host_ip, name).toBe('127.0.0.1');
    }
  });

  test('runs two of each process, and three brokers, with data of their own', async () => {
    const { name, services } = await read(...ha);
    expect(name).toBe('portico-ha');
    for (const service of serviceNames) {
      expect(services[service]?.deploy?.replicas).toBe(2);
      expect(services[service]?.environment?.['EUREKA_URL']?.split(',')).toHaveLength(2);
    }
    const brokers = ['kafka', 'kafka-2', 'kafka-3'];
    const addresses = brokers.map(broker => `${broker}:9092`).join();
    expect(services['orders']?.environment).toMatchObject({
      KAFKA_BROKERS: addresses,
      KAFKA_TOPIC_REPLICATION: '3',
    });
    const ids = brokers.map(broker => services[broker]?.environment?.['KAFKA_NODE_ID']);
    expect(ids).toEqual(['1', '2', '3']);
    for (const [index, broker] of brokers.entries()) {
      const { KAFKA_CONTROLLER_QUORUM_VOTERS, KAFKA_ADVERTISED_LISTENERS } =
        services[broker]?.environment ?? {};
      expect(KAFKA_CONTROLLER_QUORUM_VOTERS).toContain(`${ids[index]}@${broker}:9093`);
      expect(KAFKA_ADVERTISED_LISTENERS).toBe(`PLAINTEXT://${broker}:9092`);
    }
    const dataOf = (service: string, target: string) =>
      services[service]?.volumes?.find(volume => volume.target === target)?.source;
    const places = [
      ...brokers.flatMap(broker => [
        dataOf(broker, '/var/lib/kafka/data'),
        dataOf(broker, '/opt/kafka/config'),
      ]),
      ...['gateway', 'gateway-2'].map(gateway => dataOf(gateway, '/data')),
    ];
    expect(places).not.toContain(undefined);
    expect(new Set(places).size).toBe(places.length);
  });

  test('publishes the proxy in place of the gateways, which believe it alone', async () => {
    const { services } = await read(...ha);
    const published = Object.entries(services).flatMap(([name, { ports = [] }]) =>
      ports.map(port => `${name} ${port.published}`),
    );
    expect(published).toEqual(['discovery 8761', 'grafana 3000', 'prometheus 9090', 'proxy 4000']);
    expect(Object.keys(services['proxy']?.networks ?? {})).toEqual(['public']);
    for (const gateway of ['gateway', 'gateway-2'])
      expect(services[gateway]?.environment?.['GATEWAY_TRUSTED_PROXIES']).toBe('uniquelocal');
    expect(services['discovery-2']?.environment?.['DISCOVERY_PEERS']).toBe(
      services['discovery']?.environment?.['DISCOVERY_PEERS'],
    );
  });
});
