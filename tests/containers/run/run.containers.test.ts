import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { rootDir } from '../../../dev/settings.ts';
import { serviceNames } from '../../../services.ts';
import { startCustomers } from '../../chaos/customers.ts';
import { loadWhile } from '../../helpers/load.ts';
import { createQuerier } from '../../helpers/querier.ts';
import { type Builder, missingForPlatforms, startBuilder } from './builder.ts';
import { type Deployment, deploy } from './deployment.ts';
import { type Engine, missingForContainers, startEngine } from './engine.ts';
import { type Registry, startRegistry } from './registry.ts';
import { attestationsOf, cloneRelease, imagesOf, pushRelease, type Release } from './release.ts';
import { makeStandIns } from './stand-ins.ts';

const missing = missingForContainers();
if (missing) console.warn(`SKIPPED: nothing ran in containers, as ${missing}.`);
const missingPlatforms = missing ?? missingForPlatforms();
if (missingPlatforms && !missing)
  console.warn(`SKIPPED: no images were built for several platforms, as ${missingPlatforms}.`);

vi.setConfig({ testTimeout: 300_000, hookTimeout: 1_200_000 });

const processes = ['gateway', 'discovery', ...serviceNames];
/** Time of queries after PostgreSQL has come back, in ms. */
const afterwardsMs = 5_000;
const arrived = 'All three notifications arrived.';

describe.skipIf(missing !== undefined)('in containers', () => {
  let folder: string;
  let engine: Engine;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'portico-containers-'));
    engine = await startEngine(join(folder, 'engine'));
    await makeStandIns(engine, folder, join(rootDir, '.portico', 'containers'));
    await promisify(execFile)(
      process.execPath,
      ['--import', 'tsx', 'dev/images.ts', 'front', 'shop', 'front-distroless'],
      {
        cwd: rootDir,
        env: { ...process.env, ...engine.env },
        maxBuffer: 64 * 1024 * 1024,
      },
    );
  });
  afterAll(async () => {
    await engine?.close();
    await rm(folder, { recursive: true, force: true });
  });

  describe('docker-compose.yml from a clean clone', () => {
    let shop: Deployment;

    beforeAll(async () => {
      shop = await deploy(engine, {
        args: ['--profile', 'alerts', '--project-name', 'portico-test'],
        folder,
      });
      await shop.untilHealthy(...processes);
    });
    afterAll(() => shop?.close());

    test('takes orders, and tells of them', async () => {
      expect(await shop.demo()).toContain(arrived);
    });

    test.each(processes)('lets %s do nothing that it need not', async name => {
      const status = await shop.exec(name, 'cat', '/proc/self/status');
      expect(status).toMatch(/^CapEff:\s+0+$/m);
      expect(status).toMatch(/^CapBnd:\s+0+$/m);
      expect(status).toMatch(/^NoNewPrivs:\s+1$/m);
      expect(status).toMatch(/^Uid:\s+1000\s/m);
      for (const file of ['/app/new', '/run/secrets/new'])
        await expect(shop.exec(name, 'touch', file)).rejects.toThrow('Read-only file system');
      const secrets = (await shop.exec(name, 'ls', '/run/secrets')).trim().split('\n');
      const shared = ['DISCOVERY_TOKEN', 'MANAGEMENT_TOKEN'];
      if (name !== 'discovery') shared.unshift('CALLER_SECRET');
      if (serviceNames.some(service => service === name)) shared.push('DATABASE_URL');
      expect(new Set(secrets)).toEqual(new Set(shared));
    });

    test('leads a service to its neighbours, and nowhere else', async () => {
      const lookUp = (host: string) =>
        shop.exec(
          'products',
          'node',
          '-e',
          `require('dns').lookup('${host}', error => console.log(error ? 'unknown' : 'known'))`,
        );
      expect(await lookUp('postgres')).toBe('known\n');
      expect(await lookUp('kafka')).toBe('unknown\n');
      expect(await lookUp('grafana')).toBe('unknown\n');
      const isInternal = async (network: string) =>
        (
          await engine.docker(['network', 'inspect', '--format', '{{.Internal}}', `portico-test_${network}`])
        ).trim();
      for (const network of ['services', 'databases', 'events'])
        expect(await isInternal(network)).toBe('true');
      expect(await isInternal('public')).toBe('false');
    });

    test('keeps its secrets, and takes one that is given', async () => {
      const show = async (name: string) =>
        (await shop.compose('run', '--rm', 'secrets', 'show', name)).trim();
      const secret = await show('CALLER_SECRET');
      expect(secret).toMatch(/^[0-9a-f]{64}$/);
      const run = ['run', '--rm', '--env', 'MANAGEMENT_TOKEN=an operator gave this', 'secrets'];
      const config = JSON.parse(await shop.compose('config', '--format', 'json')) as {
        services: { secrets: { command: string[] } };
      };
      await shop.compose(...run, ...config.services.secrets.command);
      expect(await show('CALLER_SECRET')).toBe(secret);
      expect(await show('MANAGEMENT_TOKEN')).toBe('an operator gave this');
      expect(await shop.exec('orders', 'cat', '/run/secrets/MANAGEMENT_TOKEN')).toBe('an operator gave this');
    });

    test('has Prometheus find every process, and Alertmanager', async () => {
      const ask = async (path: string) =>
        JSON.parse(
          await shop.exec(
            'discovery',
            'node',
            '-e',
            `fetch('http://prometheus:9090/api/v1/${path}').then(async answer => console.log(await answer.text()))`,
          ),
        ).data;
      await vi.waitFor(
        async () => {
          const { activeTargets } = await ask('targets');
          const up = activeTargets.filter(({ health }: { health: string }) => health === 'up');
          expect(new Set(up.map(({ labels }: { labels: { service: string } }) => labels.service))).toEqual(
            new Set(processes),
          );
          expect((await ask('alertmanagers')).activeAlertmanagers).toHaveLength(1);
        },
        { timeout: 60_000, interval: 1_000 },
      );
    });

    test.each(['orders', 'postgres', 'kafka', 'gateway'])('comes back when %s crashes', async name => {
      await shop.crash(name);
      await shop.untilHealthy(name);
      await vi.waitFor(async () => expect(await shop.demo()).toContain(arrived), {
        timeout: 120_000,
        interval: 1_000,
      });
    });
  });

  describe('docker-compose.ha.yml', () => {
    let shop: Deployment;

    const all = [...processes, 'gateway-2', 'discovery-2', 'kafka', 'kafka-2', 'kafka-3', 'postgres'];

    beforeAll(async () => {
      const files = ['--file', 'docker-compose.yml', '--file', 'docker-compose.ha.yml'];
      shop = await deploy(engine, { args: files, folder });
      await shop.untilHealthy(...all);
    });
    afterAll(() => shop?.close());

    // The first: the check counts every order that there is.
    test('answers each query and loses no order while one process after the other is killed', async () => {
      const crashes = ['gateway', 'discovery', 'kafka-2', 'gateway-2', ...serviceNames];
      const customers = await startCustomers(() => shop.locate());
      onTestFinished(() => customers.close());
      const load = { ratePerSecond: 20, send: await createQuerier(await shop.locate()) };

      const killed = await loadWhile(load, async () => {
        for (const name of crashes) {
          await shop.crash(name);
          await shop.untilHealthy(...all);
        }
      });
      // There is one of it: what fails while it is away may fail.
      await shop.crash('postgres');
      await shop.untilHealthy(...all);
      const afterwards = await loadWhile(load, () => delay(afterwardsMs));
      const { ledger, restless, violations } = await customers.finish();

      const placed = ledger.orders.filter(({ placedIds }) => placedIds.size > 0).length;
      console.log(`${killed.sent} queries, p50 ${killed.p50Ms} ms, p99 ${killed.p99Ms} ms; ${placed} orders`);
      expect(killed.failures).toEqual([]);
      expect(afterwards.failures).toEqual([]);
      expect(restless).toEqual([]);
      expect(violations).toEqual([]);
      expect(placed).toBeGreaterThan(crashes.length);
      expect((await shop.restarted()).toSorted()).toEqual([...crashes, 'postgres'].toSorted());
    }, 900_000);

    test('takes orders through the proxy', async () => {
      expect(await shop.demo()).toContain(arrived);
    });

    test('takes orders while a gateway, a registry and a broker are gone', async () => {
      const gone = ['gateway', 'discovery', 'kafka-2'];
      await shop.compose('kill', ...gone);
      expect(await shop.demo()).toContain(arrived);
      await shop.compose('start', ...gone);
      await shop.untilHealthy(...gone);
    });

    test('takes orders while an instance of each service comes back from a crash', async () => {
      for (const name of serviceNames) await shop.crash(name);
      expect(await shop.demo()).toContain(arrived);
      // The engine removes no network that a container is about to come back to.
      await shop.untilHealthy(...serviceNames);
    });
  });

  test('the image without a shell does the same', async () => {
    const { docker } = engine;
    const image = 'portico:latest-distroless';
    await expect(docker(['run', '--rm', '--entrypoint', 'sh', image])).rejects.toThrow('not found');
    const run = [
      'run',
      '--rm',
      '--read-only',
      '--cap-drop',
      'ALL',
      '--network',
      'none',
      '--env',
      'PORTICO_DATA_DIR=/data',
    ];
    expect(await docker([...run, '--volume', 'keys:/data', image, 'dist/cli/token.js', 'alice'])).toMatch(
      /^eyJ/,
    );
    expect(await docker(['inspect', '--format', '{{.Config.User}}', image])).toBe('65532:65532\n');
  });

  describe('a registry', () => {
    let registry: Registry;

    beforeAll(async () => {
      registry = await startRegistry(join(folder, 'engine'));
    });
    afterAll(() => registry?.close());

    test('takes an image, and gives it back', async () => {
      const { docker } = engine;
      const name = `${registry.address}/team/portico:local`;
      const idOf = async (image: string) => (await docker(['inspect', '--format', '{{.Id}}', image])).trim();
      const id = await idOf('portico');
      await docker(['tag', 'portico', name]);
      await docker(['push', '--quiet', name]);
      await docker(['rmi', name]);
      await docker(['pull', '--quiet', name]);
      expect(await idOf(name)).toBe(id);
      const labels = JSON.parse(
        await docker(['inspect', '--format', '{{json .Config.Labels}}', name]),
      ) as Record<string, string>;
      expect(labels['org.opencontainers.image.title']).toBe('Portico');
      expect(labels['org.opencontainers.image.revision']).toMatch(/^[0-9a-f]{40}/);
    });

    describe('that gets the images of a release', () => {
      const testPlatforms = test.skipIf(missingPlatforms !== undefined);
      let builder: Builder;
      let release: Release;

      beforeAll(async () => {
        if (missingPlatforms) return;
        builder = await startBuilder(engine, registry, join(folder, 'builder'));
        release = await cloneRelease(join(folder, 'release'));
        await pushRelease(release, builder, registry);
      });
      afterAll(() => builder?.close());

      testPlatforms.each(['portico', 'portico-shop'])(
        'has %s for both platforms on both bases',
        async name => {
          for (const suffix of ['', '-distroless']) {
            const image = `team/${name}`;
            const { digest, content } = await registry.manifest(image, `next${suffix}`);
            for (const tag of [release.version, release.revision])
              expect((await registry.manifest(image, `${tag}${suffix}`)).digest).toBe(digest);
            const platforms = content.manifests?.flatMap(({ platform }) => platform?.architecture ?? []);
            expect(platforms).toEqual(['amd64', 'arm64', 'unknown', 'unknown']);
            for (const { config, layers } of await imagesOf(registry, image, `next${suffix}`)) {
              expect(config.created).toBe(release.createdAt);
              expect(config.config.Labels['org.opencontainers.image.revision']).toBe(release.revision);
              expect(layers.length).toBeGreaterThan(3);
            }
          }
        },
      );

      testPlatforms('has lists of what is in them, and of how they were built', async () => {
        for (const [name, has, hasNot] of [
          ['portico', '@apollo/gateway', '@prisma/client'],
          ['portico-shop', '@prisma/client', '@apollo/gateway'],
        ] as const) {
          const attestations = await attestationsOf(registry, `team/${name}`, 'next');
          expect(attestations).toHaveLength(2);
          for (const { sbom, provenance } of attestations) {
            const packages = sbom.packages.map(each => each.name);
            expect(packages).toContain(has);
            expect(packages).toContain('graphql');
            expect(packages).not.toContain(hasNot);
            expect(JSON.stringify(provenance)).toContain('Dockerfile');
          }
        }
      });

      testPlatforms('gives one that runs', async () => {
        const image = `${registry.address}/team/portico:next`;
        await engine.docker(['pull', '--quiet', image]);
        const run = ['run', '--rm', '--read-only', '--network', 'none', '--volume', 'pulled:/data'];
        const token = await engine.docker([
          ...run,
          '--env',
          'PORTICO_DATA_DIR=/data',
          image,
          'dist/cli/token.js',
          'alice',
        ]);
        expect(token).toMatch(/^eyJ/);
      });

      testPlatforms('gets the same images again from the same sources', async () => {
        const digests = async () => {
          const all = ['portico', 'portico-shop'].map(name => imagesOf(registry, `team/${name}`, 'next'));
          return (await Promise.all(all)).flat().map(({ digest }) => digest);
        };
        const before = await digests();
        expect(new Set(before).size).toBe(4);
        await builder.forget();
        await pushRelease(release, builder, registry);
        expect(await digests()).toEqual(before);
      });
    });
  });
});
