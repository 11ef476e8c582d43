import { describe, expect, test } from 'vitest';
import { discoverySettings } from '../../discovery/config.ts';
import { gatewaySettings } from '../../gateway/config.ts';
import { loadConfig } from '../../platform/config.ts';
import { serviceNames } from '../../services.ts';
import { interpolate, readCompose, targetByImage } from './compose.ts';
import { giftsOf, secretsPath } from './secrets.ts';

const { services, networks } = await readCompose();
const all = Object.entries(services);
const secretsJob = services['secrets'];
if (!secretsJob) throw new Error('docker-compose.yml expected a service secrets, but has none');
const gifts = giftsOf(secretsJob);

/** Networks of the Compose file that a service is in. */
function networksOf(name: string): readonly string[] {
  return services[name]?.networks ?? [];
}

describe('a container', () => {
  test.each(all)('%s writes nowhere but in volumes and memory, and gains no rights', (_name, service) => {
    expect(service.read_only).toBe(true);
    expect(service.cap_drop).toEqual(['ALL']);
    expect(service.cap_add).toBeUndefined();
    expect(service.privileged).toBeUndefined();
    expect(service.security_opt).toEqual(['no-new-privileges:true']);
    expect(service.tmpfs?.[0]).toMatch(/^\/tmp:mode=1777,size=\d+m$/);
    for (const mount of service.volumes ?? []) {
      const [source = '', , mode] = mount.split(':');
      if (source.startsWith('.')) expect(mode, mount).toBe('ro');
      expect(source, mount).not.toContain('docker.sock');
    }
  });

  test.each(all)('%s has a share of the machine, and its log an end', (_name, { deploy, logging }) => {
    const { cpus, memory, pids } = deploy?.resources.limits ?? {};
    expect(Number(cpus)).toBeGreaterThan(0);
    expect(memory).toMatch(/^\d+M$/);
    expect(pids).toBeGreaterThan(0);
    expect(logging?.options['max-size']).toMatch(/^\d+m$/);
    expect(Number(logging?.options['max-file'])).toBeGreaterThan(1);
  });

  test.each(all)('%s does not wait long for the name of one that has stopped', (_name, { dns_opt }) => {
    expect(dns_opt).toEqual(['timeout:1', 'attempts:2']);
  });

  test('is root nowhere but where secrets are made, without a network', () => {
    const root = all.filter(([, { user }]) => user !== undefined && /^(0|root)(:|$)/.test(user));
    expect(root.map(([name]) => name)).toEqual(['secrets']);
    expect(services['secrets']?.network_mode).toBe('none');
  });
});

describe('a network', () => {
  test('joins those only that speak to each other', () => {
    const members = (network: string) =>
      all.filter(([name]) => networksOf(name).includes(network)).map(([name]) => name);
    const jobs = ['roles', 'migrate', 'seed'];
    expect(new Set(members('databases'))).toEqual(new Set(['postgres', ...jobs, ...serviceNames]));
    expect(members('events')).toEqual(['kafka', 'inventory', 'orders', 'notifications']);
    expect(new Set(members('services'))).toEqual(
      new Set(['discovery', 'gateway', ...serviceNames, 'prometheus']),
    );
    expect(members('consoles')).toEqual(['discovery', 'prometheus', 'grafana', 'alertmanager']);
    expect(members('public')).toEqual(['gateway']);
  });

  test('leads elsewhere for nobody but who is published, and nobody is in the default one', () => {
    const internal = Object.keys(networks).filter(name => networks[name]?.internal);
    expect(internal).toEqual(['services', 'databases', 'events']);
    for (const [name, { ports, network_mode }] of all) {
      const itsNetworks = networksOf(name);
      expect(itsNetworks.length > 0 || network_mode === 'none', name).toBe(true);
      expect(
        itsNetworks.some(network => !internal.includes(network)),
        name,
      ).toBe(ports !== undefined);
    }
  });

  test('publishes what people open, on this machine only, and nothing of what may be scaled', () => {
    const published = all.flatMap(([name, { ports = [] }]) =>
      ports.map(port => `${name} ${interpolate(port, {})}`),
    );
    const { GATEWAY_PORT } = loadConfig(gatewaySettings, {
      CALLER_SECRET: 'a'.repeat(32),
      EUREKA_URL: 'http://discovery:8761/eureka',
    });
    expect(published).toEqual([
      `discovery 127.0.0.1:8761:${loadConfig(discoverySettings, {}).DISCOVERY_PORT}`,
      `gateway 127.0.0.1:4000:${GATEWAY_PORT}`,
      'prometheus 127.0.0.1:9090:9090',
      'grafana 127.0.0.1:3000:3000',
      'alertmanager 127.0.0.1:9093:9093',
    ]);
    for (const [name, { container_name }] of all) expect(container_name, name).toBeUndefined();
  });
});

describe('a secret', () => {
  test('stands in no file of the repository, and in no environment but where it is kept', () => {
    for (const [name, { environment = {} }] of all)
      for (const [key, value] of Object.entries(environment)) {
        expect(String(value), `${name} ${key}`).not.toMatch(/\/\/[^/:]*:[^/]*@/);
        if (!/(SECRET|PASSWORD|TOKEN)$/.test(key)) continue;
        expect(value, `${name} ${key}`).toBeNull();
      }
  });

  test('is seen by nobody but who is given it', () => {
    for (const [name, { volumes = [] }] of all) {
      const mounts = volumes.filter(mount => mount.startsWith('secrets'));
      if (name === 'secrets')
        expect(new Set(mounts)).toEqual(
          new Set([
            'secrets:/secrets/kept',
            ...[...gifts.keys()].map(each => `secrets-${each}:/secrets/${each}`),
          ]),
        );
      else expect(mounts, name).toEqual(gifts.has(name) ? [`secrets-${name}:${secretsPath}:ro`] : []);
    }
  });

  test('is given to who reads it, and to nobody else', () => {
    for (const [name, { environment = {} }] of all) {
      const read = Object.values(environment).filter(value => String(value).startsWith(`${secretsPath}/`));
      const given = [...(gifts.get(name)?.keys() ?? [])].map(file => `${secretsPath}/${file}`);
      expect(new Set(read), name).toEqual(new Set(given));
    }
  });

  test('is there before who reads it', () => {
    const waitsFor = (name: string): string[] =>
      Object.keys(services[name]?.depends_on ?? {}).flatMap(each => [each, ...waitsFor(each)]);
    for (const name of gifts.keys()) expect(waitsFor(name), name).toContain('secrets');
  });

  test('of a database lets a service in as itself, and only migrations as the owner', () => {
    const urlOf = (role: string, password: string, database: string) =>
      `postgresql://${role}:{${password}}@postgres:5432/${database}`;
    for (const name of serviceNames) {
      const upper = name.toUpperCase();
      const ofService = urlOf(name, `${upper}_DATABASE_PASSWORD`, name);
      const ofOwner = urlOf(`${name}_owner`, `${upper}_OWNER_PASSWORD`, name);
      expect(gifts.get(name)?.get('DATABASE_URL')).toBe(ofService);
      expect(gifts.get('migrate')?.get(`${upper}_DATABASE_URL`)).toBe(ofOwner);
      expect(gifts.get('roles')?.get(`${upper}_DATABASE_URL`)).toBe(ofOwner);
      expect(gifts.get('roles')?.get(`${upper}_SERVICE_DATABASE_URL`)).toBe(ofService);
      expect(services['migrate']?.environment?.[`${upper}_DATABASE_ROLE`]).toBe(name);
    }
    const withSuperuser = [...gifts].filter(([, files]) =>
      [...files.values()].some(text => /POSTGRES_PASSWORD/.test(text)),
    );
    expect(withSuperuser.map(([name]) => name)).toEqual(['postgres', 'roles']);
    for (const [consumer, files] of gifts)
      if (consumer === 'seed')
        for (const text of files.values()) expect(text).toMatch(/^postgresql:\/\/(products|inventory):/);
  });
});

test('every service runs in an image that has its program, or in one that is pinned', () => {
  for (const [name, { image, command = [], entrypoint = [] }] of all)
    if (image in targetByImage)
      expect(
        [...entrypoint, ...command].some(argument => argument.startsWith('dist/')),
        name,
      ).toBe(true);
});
