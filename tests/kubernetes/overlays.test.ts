import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { rootDir } from '../../dev/settings.ts';
import { loadConfig } from '../../platform/config.ts';
import { databaseUrl } from '../../prisma/service-folder.ts';
import { serviceNames } from '../../services.ts';
import {
  type Container,
  containerOf,
  find,
  kubernetesDir,
  type Manifest,
  type PodSpec,
  readOverlay,
  selects,
  workloadOf,
} from './manifests.ts';
import { environmentOf, example, imageOf, resolve, settingsByProcess } from './processes.ts';

const overlays = ['production', 'trial'];
const processes = Object.keys(settingsByProcess);

function podsOf(manifests: readonly Manifest[]): [name: string, PodSpec][] {
  return manifests.flatMap(({ kind, metadata, spec }) =>
    kind === 'Deployment' || kind === 'StatefulSet' || kind === 'Job'
      ? [[metadata.name, spec.template.spec]]
      : [],
  );
}

function containersOf({ initContainers = [], containers }: PodSpec): Container[] {
  return [...initContainers, ...containers];
}

function portOf(container: Container, name: string): number | undefined {
  return container.ports?.find(port => port.name === name)?.containerPort;
}

test('every overlay is looked at', async () => {
  expect((await readdir(join(kubernetesDir, 'overlays'))).sort()).toEqual(overlays);
});

test('the chart is of the version of the project', async () => {
  const { version } = JSON.parse(await readFile(join(rootDir, 'package.json'), 'utf8')) as {
    version: string;
  };
  const chart = await readFile(join(kubernetesDir, 'chart', 'Chart.yaml'), 'utf8');
  expect(parse(chart)).toMatchObject({ version, appVersion: version });
});

describe.each(overlays)('the overlay %s', async overlay => {
  const manifests = await readOverlay(overlay);
  const pods = podsOf(manifests);

  test('runs every process and the migrations, and nothing else, by programs that the image has', () => {
    const names = pods.map(([name]) => name.replace('portico-', ''));
    expect(new Set(names)).toEqual(new Set([...processes, 'migrate']));
    for (const [name, spec] of pods)
      for (const { args, command, image } of containersOf(spec)) {
        const source = args[0]?.replace(/^dist\//, '').replace(/\.js$/, '.ts') ?? '';
        expect(existsSync(join(rootDir, source)), `${name} runs ${source}`).toBe(true);
        const has = imageOf({ image }).programs.some(
          part => source === part || source.startsWith(`${part}/`),
        );
        expect(has, `the image of ${name} has ${source}`).toBe(true);
        expect(command, name).toBeUndefined();
      }
  });

  test.each(processes)(
    'gives %s what it cannot start without, and no setting that it does not know',
    name => {
      const settings = settingsByProcess[name];
      if (!settings) throw new Error(`${name} has no settings`);
      const given = containerOf(manifests, name).env.map(each => each.name);
      expect(given.filter(each => !(each in settings.shape))).toEqual([]);
      expect(new Set(given).size).toBe(given.length);
      expect(() => loadConfig(settings, environmentOf(manifests, name))).not.toThrow();
    },
  );

  test.each(processes)(
    'names the ports that %s listens on, and asks the management port for health',
    name => {
      const container = containerOf(manifests, name);
      const config = loadConfig(settingsByProcess[name] as never, environmentOf(manifests, name)) as Record<
        string,
        number
      >;
      const setting = { gateway: 'GATEWAY_PORT', discovery: 'DISCOVERY_PORT' }[name] ?? 'PORT';
      expect(portOf(container, 'http')).toBe(config[setting]);
      expect(portOf(container, 'management')).toBe(config['MANAGEMENT_PORT']);
      const [liveness, readiness] = ['liveness', 'readiness'].map(group => ({
        path: `/actuator/health/${group}`,
        port: 'management',
      }));
      expect(container.startupProbe?.httpGet).toEqual(liveness);
      expect(container.livenessProbe?.httpGet).toEqual(liveness);
      expect(container.readinessProbe?.httpGet).toEqual(readiness);
    },
  );

  test.each(processes)('lets %s take as long to stop as it may', name => {
    const config = loadConfig(settingsByProcess[name] as never, environmentOf(manifests, name)) as Record<
      string,
      number
    >;
    const { SHUTDOWN_TIMEOUT_MS = 0, LIVE_DRAIN_MS = 0, DEREGISTRATION_GRACE_MS = 0 } = config;
    const preStopSeconds = containerOf(manifests, name).lifecycle?.preStop.sleep.seconds ?? 0;
    const { terminationGracePeriodSeconds } = workloadOf(manifests, name).spec.template.spec;
    expect(terminationGracePeriodSeconds).toBe(preStopSeconds + SHUTDOWN_TIMEOUT_MS / 1000 + 5);
    expect(SHUTDOWN_TIMEOUT_MS).toBeGreaterThan(Math.max(LIVE_DRAIN_MS + 1000, DEREGISTRATION_GRACE_MS));
    // The gateway alone is reached through a Service, whose proxies hear of its end a moment later.
    expect(preStopSeconds > 0).toBe(name === 'gateway');
  });

  test('lets every pod do no more than the standard "restricted" allows, and write nowhere but in two folders', () => {
    for (const [name, spec] of pods) {
      expect(spec.securityContext, name).toMatchObject({
        runAsNonRoot: true,
        runAsUser: 1000,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      expect(spec.automountServiceAccountToken, name).toBe(false);
      // Kubernetes would set GATEWAY_PORT to an address where a Service is called gateway.
      expect(spec.enableServiceLinks, name).toBe(false);
      for (const container of containersOf(spec)) {
        expect(container.securityContext, name).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
        expect(Object.keys(container.resources.requests), name).toEqual(['cpu', 'memory']);
        expect(container.resources.limits['memory'], name).toBeDefined();
        const writable = container.volumeMounts.map(({ mountPath }) => mountPath);
        expect(writable, name).toEqual(name === 'portico-migrate' ? ['/tmp'] : ['/tmp', '/data']);
      }
      for (const volume of spec.volumes) expect(volume.emptyDir, `${name} ${volume.name}`).toEqual({});
    }
  });

  test('names every registry to all by an address that stays, and to each other by their pods', () => {
    const {
      template,
      serviceName = '',
      replicas = 0,
      minReadySeconds = 0,
    } = workloadOf(manifests, 'discovery').spec;
    expect(replicas).toBe(overlay === 'trial' ? 1 : 2);
    // Longer than a name server keeps the address of a pod.
    expect(minReadySeconds).toBeGreaterThan(30);
    const port = portOf(containerOf(manifests, 'discovery'), 'http');
    const hosts = Array.from({ length: replicas }, (_, index) => `portico-discovery-${index}`);
    const urlsOf = (suffix: string) => hosts.map(host => `http://${host}${suffix}:${port}/eureka`).join(',');

    const { spec: peers } = find(manifests, 'Service', serviceName);
    expect(peers).toMatchObject({ clusterIP: 'None', publishNotReadyAddresses: true });
    expect(selects(peers.selector, template.metadata.labels)).toBe(true);
    for (const host of hosts) {
      const { spec } = find(manifests, 'Service', host);
      expect(spec).toMatchObject({ publishNotReadyAddresses: true, ports: [{ port, targetPort: 'http' }] });
      expect(spec.clusterIP).toBeUndefined();
      // Kubernetes gives each pod of a StatefulSet this label.
      const labels = { ...template.metadata.labels, 'statefulset.kubernetes.io/pod-name': host };
      expect(selects(spec.selector, labels)).toBe(true);
      expect(selects(spec.selector, template.metadata.labels)).toBe(false);
    }
    for (const name of processes.filter(each => each !== 'discovery'))
      expect(environmentOf(manifests, name)['EUREKA_URL']).toBe(urlsOf(''));
    expect(environmentOf(manifests, 'discovery')['DISCOVERY_PEERS']).toBe(
      replicas > 1 ? urlsOf(`.${serviceName}`) : undefined,
    );
  });

  test('takes an instance away when those who call it have had time to hear of the next', () => {
    for (const name of processes) {
      const { minReadySeconds } = workloadOf(manifests, name).spec;
      if (name === 'gateway') expect(minReadySeconds).toBeUndefined();
      else expect(minReadySeconds, name).toBeGreaterThanOrEqual(10);
    }
  });

  test('lets a process be ended while it starts', () => {
    for (const name of processes)
      expect(workloadOf(manifests, name).spec.template.spec.shareProcessNamespace, name).toBe(true);
  });

  test('lets every process be reached by the address of its pod', () => {
    for (const name of processes)
      expect(environmentOf(manifests, name)['ADVERTISED_HOST'], name).toBe('10.0.0.1');
  });

  test('gives who registers the zone of its pod, where the cluster tells it', () => {
    for (const name of processes.filter(each => each !== 'discovery')) {
      const zoneOf = (zone?: string) =>
        loadConfig(
          settingsByProcess[name] as never,
          environmentOf(manifests, name, { ...example, ...(zone === undefined ? {} : { zone }) }),
        );
      expect(zoneOf('eu-central-1a'), name).toMatchObject({ INSTANCE_ZONE: 'eu-central-1a' });
      expect(zoneOf(), name).not.toHaveProperty('INSTANCE_ZONE');
    }
  });

  test('gives the migrations the database of every service, and its own to each service', () => {
    const job = find(manifests, 'Job', 'portico-migrate').spec.template.spec;
    for (const { name, env, args } of containersOf(job)) {
      for (const service of serviceNames)
        expect(databaseUrl(service, resolve(env) as NodeJS.ProcessEnv)).toBe(
          environmentOf(manifests, service)['DATABASE_URL'],
        );
      expect(args).toEqual(name === 'seed' ? ['dist/prisma/seed.js'] : ['dist/prisma/migrate.js', 'deploy']);
    }
    const steps = containersOf(job).map(({ name }) => name);
    expect(steps).toEqual(overlay === 'trial' ? ['migrate', 'seed'] : ['migrate']);
  });

  test('spreads each process over zones and nodes, and takes one pod of it away at a time', () => {
    for (const name of processes) {
      const { metadata, spec } = workloadOf(manifests, name).spec.template;
      const constraints = spec.topologySpreadConstraints ?? [];
      expect(
        constraints.map(({ topologyKey }) => topologyKey),
        name,
      ).toEqual(['topology.kubernetes.io/zone', 'kubernetes.io/hostname']);
      // The label by which Kubernetes tells the pods of a release from those that they replace.
      const ofRelease = name === 'discovery' ? 'controller-revision-hash' : 'pod-template-hash';
      for (const { matchLabelKeys } of constraints) expect(matchLabelKeys, name).toEqual([ofRelease]);
      const budget = find(manifests, 'PodDisruptionBudget', `portico-${name}`).spec;
      expect(budget.maxUnavailable, name).toBe(1);
      for (const { matchLabels } of [
        ...constraints.map(({ labelSelector }) => labelSelector),
        budget.selector ?? {},
      ])
        expect(matchLabels, name).toEqual(metadata.labels);
    }
  });

  test('scales the gateway by a metric that it has, the subgraphs by CPU, and no registry', async () => {
    const scaled = manifests.filter(({ kind }) => kind === 'HorizontalPodAutoscaler');
    const names = scaled.map(({ spec }) => spec.scaleTargetRef?.name.replace('portico-', ''));
    expect(new Set(names)).toEqual(
      new Set(overlay === 'trial' ? [] : processes.filter(each => each !== 'discovery')),
    );
    for (const name of processes.filter(each => each !== 'discovery'))
      expect(workloadOf(manifests, name).spec.replicas, name).toBe(overlay === 'trial' ? 1 : undefined);
    const metric = 'gateway_requests_under_way';
    for (const { metadata, spec } of scaled)
      expect(spec.metrics?.[0], metadata.name).toMatchObject(
        metadata.name === 'portico-gateway'
          ? { type: 'Pods', pods: { metric: { name: metric }, target: { type: 'AverageValue' } } }
          : { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization' } } },
      );
    expect(await readFile(join(rootDir, 'docs', 'operations.md'), 'utf8')).toContain(`| \`${metric}\` |`);
  });

  test('has no secret in it, and needs one of a name', () => {
    expect(manifests.filter(({ kind }) => kind === 'Secret')).toEqual([]);
    for (const [name, spec] of pods)
      for (const entry of containersOf(spec).flatMap(({ env }) => env)) {
        expect(entry.value ?? '', `${name} ${entry.name}`).not.toMatch(/\/\/[^/]*@/);
        if (/SECRET|PASSWORD|TOKEN$|DATABASE_URL$/.test(entry.name))
          expect(entry.valueFrom?.secretKeyRef?.name, `${name} ${entry.name}`).toBe('portico');
      }
  });

  test('has a kustomization that takes it, and names the images', async () => {
    const file = join(kubernetesDir, 'overlays', overlay, 'kustomization.yaml');
    const { resources, images } = parse(await readFile(file, 'utf8')) as {
      resources: string[];
      images: { name: string }[];
    };
    expect(resources).toEqual(['portico.yaml']);
    const used = pods.flatMap(([, spec]) => containersOf(spec)).map(({ image }) => image.split(':')[0]);
    expect(new Set(used)).toEqual(new Set(images.map(({ name }) => name)));
  });
});
