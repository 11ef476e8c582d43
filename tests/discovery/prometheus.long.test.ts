import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { freePort } from '../../platform/free-port.ts';
import { findProgram } from '../helpers/programs.ts';
import { eventually, getJson, registerService, startDiscoveryProcess } from './helpers.ts';

const prometheus = findProgram('prometheus');
const promtool = findProgram('promtool');
if (!prometheus || !promtool)
  console.warn(
    'SKIPPED: Prometheus is not installed, so it was not pointed at the registry (apt-get install prometheus).',
  );

interface Targets {
  data: {
    activeTargets: {
      health: string;
      scrapePool: string;
      scrapeUrl: string;
      labels: Record<string, string>;
    }[];
  };
}

/** Serves one metric as an instance's management port does. */
async function startInstance(): Promise<number> {
  const server = createServer((_request, response) => response.end('instance_up 1\n'));
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as { port: number }).port;
}

function configFor(url: string): string {
  return `
global: { scrape_interval: 1s }
scrape_configs:
  - job_name: http_sd
    metrics_path: /actuator/prometheus
    http_sd_configs: [{ url: '${url}/prometheus/http_sd', refresh_interval: 1s }]
  - job_name: eureka_sd
    metrics_path: /actuator/prometheus
    eureka_sd_configs: [{ server: '${url}/eureka', refresh_interval: 1s }]
    relabel_configs:
      - source_labels: [__meta_eureka_app_instance_hostname, __meta_eureka_app_instance_metadata_management_port]
        separator: ':'
        regex: (.+:\\d+)
        target_label: __address__
      - { source_labels: [__meta_eureka_app_name], target_label: service }
      - { source_labels: [__meta_eureka_app_instance_status], target_label: status }
      - { source_labels: [__meta_eureka_app_instance_metadata_version], target_label: version }
`;
}

async function startPrometheus(url: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'portico-prometheus-'));
  const config = join(folder, 'prometheus.yml');
  await writeFile(config, configFor(url));
  await promisify(execFile)(promtool ?? '', ['check', 'config', config]);
  const port = await freePort();
  const child = spawn(
    prometheus ?? '',
    [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=warn',
    ],
    { stdio: 'ignore' },
  );
  const ended = new Promise(resolve => child.once('exit', resolve));
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
    await rm(folder, { recursive: true, force: true });
  });
  return `http://127.0.0.1:${port}`;
}

describe.skipIf(!prometheus || !promtool)('Prometheus', () => {
  test('scrapes every instance through http_sd and through its own Eureka discovery', async () => {
    const discovery = await startDiscoveryProcess();
    const managementPort = await startInstance();
    const metadata = { 'management.port': String(managementPort), version: '1.2.3' };
    await registerService({ urls: [discovery.eureka], port: 4001, metadata });
    const url = await startPrometheus(discovery.url);
    const targets = await eventually(async () => {
      const answer = await getJson<Targets>(`${url}/api/v1/targets?state=active`);
      const active = answer?.data.activeTargets ?? [];
      active.sort((a, b) => String(a.labels['service']).localeCompare(String(b.labels['service'])));
      expect(active).toHaveLength(3);
      expect(active.map(({ health }) => health)).toEqual(['up', 'up', 'up']);
      return active;
    }, 30_000);
    const scrapeUrl = `http://127.0.0.1:${managementPort}/actuator/prometheus`;
    expect(targets.filter(({ scrapePool }) => scrapePool === 'http_sd')).toMatchObject([
      {
        scrapeUrl: `${discovery.managementUrl}/actuator/prometheus`,
        labels: { service: 'discovery', job: 'http_sd' },
      },
      {
        scrapeUrl,
        labels: {
          service: 'products',
          instance: '127.0.0.1:products:4001',
          version: '1.2.3',
          job: 'http_sd',
        },
      },
    ]);
    expect(targets.filter(({ scrapePool }) => scrapePool === 'eureka_sd')).toMatchObject([
      { scrapeUrl, labels: { service: 'PRODUCTS', status: 'UP', version: '1.2.3', job: 'eureka_sd' } },
    ]);
  });

  test('has nothing to say against the registry’s metrics', async () => {
    const { managementUrl } = await startDiscoveryProcess();
    const text = await (await fetch(`${managementUrl}/actuator/prometheus`)).text();
    const own = text
      .split('\n')
      .filter(line => /^(# (HELP|TYPE) )?discovery_/.test(line))
      .join('\n');
    const checked = promisify(execFile)(promtool ?? '', ['check', 'metrics']);
    checked.child.stdin?.end(`${own}\n`);
    expect((await checked).stderr).toBe('');
  });
});
