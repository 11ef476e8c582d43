import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Child, startChild } from '../../dev/child.ts';
import { startScratchPostgres } from '../../prisma/postgres/scratch.ts';
import type { PostgresServer } from '../../prisma/postgres/server.ts';
import { type Caged, type Cages, cageFault, createCages, dataDirInCage } from './cage.ts';
import { containerOf, find, readOverlay, workloadOf } from './manifests.ts';
import { environmentOf, resolve } from './processes.ts';

const fault = cageFault();
if (fault !== undefined)
  console.warn(`SKIPPED: no pod was run as the chart has it, because this machine can't: ${fault}`);

const manifests = await readOverlay('production');
const subgraphs = ['products', 'inventory', 'orders', 'notifications'];
/** Addresses of pods: all of this machine's 127.0.0.0/8, so that pods may listen on the same ports. */
const addressOf = (pod: number) => `127.11.0.${pod}`;
const registries = [0, 1].map(index => ({
  host: `portico-discovery-${index}`,
  podIp: addressOf(index + 1),
}));
/** Names by which peers know a registry, and all others. */
const registryHosts = Object.fromEntries(
  registries.flatMap(({ host, podIp }) => [
    [host, podIp],
    [`${host}.portico-discovery-peers`, podIp],
  ]),
);

describe.skipIf(fault !== undefined)('the pods of the production overlay', () => {
  let folder: string;
  let postgres: PostgresServer;
  let kafka: Child;
  let cages: Cages;
  const running = new Map<string, { readonly caged: Caged; readonly component: string }>();
  let lastPod = 2;

  const secretOf = (key: string) => {
    const [service = ''] = key.toLowerCase().split('_database_url');
    if (key.endsWith('_DATABASE_URL')) return postgres.url.replace(/postgres$/, service);
    return key === 'CALLER_SECRET' ? 'c'.repeat(64) : undefined;
  };

  /** Starts a pod with the environment of its container. @returns the address of the pod */
  function start(component: string, pod = ++lastPod): string {
    const podIp = addressOf(pod);
    const env = {
      ...environmentOf(manifests, component, { podIp, secretOf }),
      // All addresses, in a pod, are its own.
      HOST: podIp,
      GATEWAY_DATA_DIR: dataDirInCage,
      KAFKA_BROKERS: `127.0.0.1:${kafka.ready.port}`,
      KAFKA_TOPIC_REPLICATION: '1',
    };
    const caged = cages.run(`${component}-${pod}`, containerOf(manifests, component).args, env);
    running.set(podIp, { caged, component });
    return podIp;
  }

  async function untilReady(component: string, podIp: string): Promise<void> {
    const path = containerOf(manifests, component).readinessProbe?.httpGet.path;
    const look = async () => {
      const { status } = await fetch(`http://${podIp}:8081${path}`);
      expect(status, `${component} at ${podIp}`).toBe(200);
    };
    await vi.waitFor(look, { timeout: 100_000, interval: 100 });
  }

  async function ask(podIp: string) {
    const response = await fetch(`http://${podIp}:4000/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: '{ products(first: 1) { edges { node { sku inStock } } } }' }),
    });
    return (await response.json()) as unknown;
  }

  const answer = { data: { products: { edges: [{ node: { sku: expect.any(String), inStock: true } }] } } };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'portico-pods-'));
    postgres = await startScratchPostgres();
    kafka = await startChild({
      name: 'kafka',
      entry: 'broker/main.ts',
      env: { KAFKA_PORT: '0', KAFKA_DATA_DIR: join(folder, 'kafka') },
      onLine: () => {},
    });
    cages = await createCages(folder, registryHosts);
  });
  afterAll(async () => {
    await cages?.close();
    await kafka?.stop();
    await postgres?.close();
    if (process.env['KEEP_TEST_DATA']) console.log(`The logs of the pods are in ${folder}`);
    else await rm(folder, { recursive: true, force: true });
  });

  test('can write to two folders, and nowhere else', async () => {
    const write = (path: string) =>
      cages.run('writer', ['--eval', `require('fs').writeFileSync('${path}/written', '')`], {}).ended;
    expect(await write('/tmp')).toBe(0);
    expect(await write(dataDirInCage)).toBe(0);
    for (const path of ['/mnt', '/var/tmp', '/etc']) expect(await write(path), path).toBe(1);
  });

  test('find databases that the Job has made and filled', async () => {
    const job = find(await readOverlay('trial'), 'Job', 'portico-migrate').spec.template.spec;
    for (const { name, args, env } of [...(job.initContainers ?? []), ...job.containers])
      expect(await cages.run(name, args, resolve(env, { podIp: '', secretOf })).ended, name).toBe(0);
  });

  test('get ready, and serve the graph', { timeout: 120_000 }, async () => {
    for (const index of registries.keys()) start('discovery', index + 1);
    const started = ['gateway', ...subgraphs].map(component => [component, start(component)] as const);
    await Promise.all(registries.map(({ podIp }) => untilReady('discovery', podIp)));
    await Promise.all(started.map(([component, podIp]) => untilReady(component, podIp)));
    const [[, gateway] = ['', '']] = started;
    await vi.waitFor(async () => expect(await ask(gateway)).toEqual(answer), { timeout: 20_000 });
  });

  test('need one registry of two', async () => {
    const [first = ''] = registries.map(({ podIp }) => podIp);
    expect(await running.get(first)?.caged.stop('SIGKILL')).toBe('SIGKILL');
    running.delete(first);
    const gateway = start('gateway');
    await untilReady('gateway', gateway);
    await vi.waitFor(async () => expect(await ask(gateway)).toEqual(answer), { timeout: 20_000 });
  });

  test('end in the time that they are given, the registry last', async () => {
    async function end(isRegistry: boolean): Promise<number> {
      const ends = [...running.values()].filter(each => (each.component === 'discovery') === isRegistry);
      const stop = async ({ caged, component }: (typeof ends)[number]) => {
        const { terminationGracePeriodSeconds } = workloadOf(manifests, component).spec.template.spec;
        const beganMs = performance.now();
        expect(await caged.stop('SIGTERM'), component).toBe(0);
        expect(performance.now() - beganMs, component).toBeLessThan(terminationGracePeriodSeconds * 1000);
      };
      await Promise.all(ends.map(stop));
      return ends.length;
    }
    expect(await end(false)).toBe(2 + subgraphs.length);
    expect(await end(true)).toBe(1);
  });
});
