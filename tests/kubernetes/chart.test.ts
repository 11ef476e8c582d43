import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { findProgram } from '../helpers/programs.ts';
import { containerOf, find, kubernetesDir, type Manifest, parseManifests, workloadOf } from './manifests.ts';
import { environmentOf } from './processes.ts';

const helm = process.env['HELM'] || findProgram('helm');
if (helm === undefined)
  console.warn(
    'SKIPPED: Helm is not installed, so that the chart was not rendered (deploy/kubernetes/check builds one).',
  );

const run = promisify(execFile);
const kafka = { brokers: 'kafka:9092' };
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'portico-chart-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Renders the chart with values. @throws Error with what Helm says when it refuses them */
async function render(values: object): Promise<Manifest[]> {
  const file = join(folder, 'values.yaml');
  await writeFile(file, stringify(values));
  const args = ['template', 'portico', 'chart', '--kube-version', '1.30', '--values', file];
  const { stdout } = await run(helm ?? '', args, { cwd: kubernetesDir, maxBuffer: 10_000_000 });
  return parseManifests(stdout);
}

function kindsOf(manifests: readonly Manifest[]): Set<string> {
  return new Set(manifests.map(({ kind }) => kind));
}

describe.skipIf(helm === undefined)('the chart', () => {
  test('makes what the overlays have', async () => {
    await expect(
      run(join(kubernetesDir, 'render'), ['--check'], { env: { ...process.env, HELM: helm } }),
    ).resolves.toMatchObject({ stdout: '' });
  });

  test.each([
    ['no brokers', {}, /kafka\.brokers is empty, but inventory needs Kafka/],
    ['a value that there is not', { kafka, gatway: {} }, /additional properties 'gatway' not allowed/],
    ['a value of a process that there is not', { kafka, gateway: { repicas: 1 } }, /'repicas'/],
    ['a port, which the chart decides', { kafka, gateway: { env: { GATEWAY_PORT: 1 } } }, /'GATEWAY_PORT'/],
    [
      'a drain that cannot end',
      { kafka, gateway: { env: { LIVE_DRAIN_MS: 9_000 } } },
      /gateway waits 10000 ms at its shutdown \(LIVE_DRAIN_MS\), but is cut off after 10000 ms; set SHUTDOWN_TIMEOUT_MS/,
    ],
    [
      'a grace that cannot end',
      { kafka, common: { env: { SHUTDOWN_TIMEOUT_MS: 2_000, DEREGISTRATION_GRACE_MS: 2_000 } } },
      /inventory waits 2000 ms at its shutdown \(DEREGISTRATION_GRACE_MS\)/,
    ],
  ])('refuses %s', async (_what, values, message) => {
    await expect(render(values)).rejects.toThrow(message);
  });

  test('gives settings to all processes, to those of Kafka, or to one, and the nearest wins', async () => {
    const manifests = await render({
      common: { env: { LOG_LEVEL: 'warn' } },
      kafka: { ...kafka, env: { KAFKA_TLS: true }, secretEnv: { KAFKA_SASL_PASSWORD: 'password' } },
      gateway: { env: { LOG_LEVEL: 'debug', SUBGRAPH_MAX_RESPONSE_BYTES: 67_108_864 } },
    });
    expect(environmentOf(manifests, 'gateway')).toMatchObject({
      LOG_LEVEL: 'debug',
      SUBGRAPH_MAX_RESPONSE_BYTES: '67108864',
    });
    expect(environmentOf(manifests, 'discovery')['LOG_LEVEL']).toBe('warn');
    expect(environmentOf(manifests, 'orders')).toMatchObject({ LOG_LEVEL: 'warn', KAFKA_TLS: 'true' });
    expect(environmentOf(manifests, 'products')).not.toHaveProperty('KAFKA_TLS');
    expect(containerOf(manifests, 'orders').env).toContainEqual({
      name: 'KAFKA_SASL_PASSWORD',
      valueFrom: { secretKeyRef: { name: 'portico', key: 'password' } },
    });
  });

  test('gives a pod the time that its settings ask for', async () => {
    const manifests = await render({
      kafka,
      gateway: { preStopSeconds: 12, env: { SHUTDOWN_TIMEOUT_MS: 30_500, LIVE_DRAIN_MS: 20_000 } },
    });
    expect(workloadOf(manifests, 'gateway').spec.template.spec.terminationGracePeriodSeconds).toBe(
      12 + 31 + 5,
    );
    expect(containerOf(manifests, 'gateway').lifecycle?.preStop).toEqual({ sleep: { seconds: 12 } });
    expect(workloadOf(manifests, 'orders').spec.template.spec.terminationGracePeriodSeconds).toBe(15);
  });

  test('runs no registry where another one is named', async () => {
    const url = 'https://eureka.example.com/eureka/v2';
    const manifests = await render({ kafka, discovery: { url } });
    expect(kindsOf(manifests)).not.toContain('StatefulSet');
    expect(manifests.filter(({ metadata }) => metadata.name.includes('discovery'))).toEqual([]);
    expect(environmentOf(manifests, 'gateway')['EUREKA_URL']).toBe(url);
    expect(find(manifests, 'NetworkPolicy', 'portico-gateway').spec.ingress).toHaveLength(1);
  });

  test('runs another subgraph where the values name one, and lets it call the others', async () => {
    const manifests = await render({ kafka, subgraphs: { reviews: { calls: ['products'] } } });
    expect(containerOf(manifests, 'reviews').args).toEqual(['dist/subgraphs/reviews/main.js']);
    expect(environmentOf(manifests, 'reviews')['DATABASE_URL']).toContain('reviews_database_url');
    const { ingress } = find(manifests, 'NetworkPolicy', 'portico-products').spec;
    const callers = ingress?.[0]?.from?.map(
      peer => peer.podSelector?.matchLabels?.['app.kubernetes.io/component'],
    );
    expect(callers).toEqual(['gateway', 'inventory', 'orders', 'reviews']);
  });

  test('makes the Secret of a trial before the migrations that need it, and starts pods anew when it changes', async () => {
    const values = { CALLER_SECRET: 'x'.repeat(32) };
    const manifests = await render({ kafka, secret: { values } });
    const secret = find(manifests, 'Secret', 'portico');
    expect(secret.stringData).toEqual(values);
    const weights = [secret, find(manifests, 'Job', 'portico-migrate')].map(
      ({ metadata }) => metadata.annotations?.['helm.sh/hook-weight'],
    );
    expect(weights).toEqual(['-10', '0']);
    const sums = [
      manifests,
      await render({ kafka, secret: { values: { CALLER_SECRET: 'z'.repeat(32) } } }),
    ].map(each => workloadOf(each, 'orders').spec.template.metadata.annotations?.['checksum/secret']);
    expect(sums[0]).toMatch(/^\w{64}$/);
    expect(sums[1]).not.toBe(sums[0]);
  });

  test.each(['none', 'annotations', 'serviceMonitor', 'httpSd'])(
    'lets Prometheus scrape by %s',
    async scrape => {
      const manifests = await render({ kafka, monitoring: { scrape, labels: { release: 'prometheus' } } });
      expect(kindsOf(manifests).has('ServiceMonitor')).toBe(scrape === 'serviceMonitor');
      const { annotations } = workloadOf(manifests, 'orders').spec.template.metadata;
      expect(annotations).toEqual(
        scrape === 'annotations'
          ? {
              'prometheus.io/path': '/actuator/prometheus',
              'prometheus.io/port': '8081',
              'prometheus.io/scrape': 'true',
            }
          : undefined,
      );
      // The list of targets is the registry's.
      const readers = find(manifests, 'NetworkPolicy', 'portico-discovery').spec.ingress?.[0]?.from ?? [];
      expect(readers.some(({ namespaceSelector }) => namespaceSelector)).toBe(scrape === 'httpSd');
      if (scrape === 'serviceMonitor')
        expect(find(manifests, 'ServiceMonitor', 'portico-management').metadata.labels['release']).toBe(
          'prometheus',
        );
    },
  );

  test('puts files of the operator where a setting may name them', async () => {
    const manifests = await render({
      kafka,
      gateway: {
        env: { PERSISTED_OPERATIONS_FILE: '/operations/manifest.json' },
        volumes: [{ name: 'operations', configMap: { name: 'operations' } }],
        volumeMounts: [{ name: 'operations', mountPath: '/operations', readOnly: true }],
      },
    });
    const { volumes } = workloadOf(manifests, 'gateway').spec.template.spec;
    expect(volumes.map(({ name }) => name)).toEqual(['tmp', 'data', 'operations']);
    expect(containerOf(manifests, 'gateway').volumeMounts).toHaveLength(3);
    expect(containerOf(manifests, 'orders').volumeMounts).toHaveLength(2);
  });
});
