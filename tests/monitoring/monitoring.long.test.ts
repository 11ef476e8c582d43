import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { rootDir } from '../../dev/settings.ts';
import { feedCursorOf, placedOrderId } from '../helpers/shop.ts';
import { useSystem } from '../helpers/system.ts';
import {
  dashboardExpressions,
  metricsIn,
  readAlerts,
  readDashboard,
  readTestedAlerts,
} from './expressions.ts';
import { prometheus, promtool, type RunningPrometheus, runPromtool, startPrometheus } from './prometheus.ts';

const installed = prometheus !== undefined && promtool !== undefined;
if (!installed)
  console.warn(
    'SKIPPED: Prometheus is not installed, so that neither its rules nor the dashboard were tried (apt-get install prometheus).',
  );

/** Panels of what a healthy system does not have. */
const emptyWhenHealthy = [
  'Requests answered with an error status',
  'Fetches that were not ok',
  'Retries and ejections',
  'Dead letters since the start',
];

/** Longest time that Prometheus may take to see what happened: a refresh of its targets, two scrapes, and a busy machine. */
const seen = { timeout: 30_000, interval: 250 };

function readOperations(): Promise<string> {
  return readFile(join(rootDir, 'docs', 'operations.md'), 'utf8');
}

describe('the monitoring', () => {
  test('tests every alert, and says what to do about it', async () => {
    const alerts = await readAlerts();
    expect(await readTestedAlerts()).toEqual(new Set(alerts.map(({ alert }) => alert)));
    const explained = (await readOperations()).matchAll(/^\| `([A-Z]\w+)` \| (\w+) \|/gm);
    expect([...explained].map(([, name, severity]) => ({ name, severity }))).toEqual(
      alerts.map(({ alert, labels }) => ({ name: alert, severity: labels.severity })),
    );
  });

  test('gives every alert a severity, a summary and a description', async () => {
    for (const { annotations, labels, alert } of await readAlerts()) {
      expect(labels.severity, alert).toMatch(/^(critical|warning)$/);
      expect(Object.keys(annotations), alert).toEqual(['summary', 'description']);
    }
  });

  test('has panels of one data source, each with an id of its own', async () => {
    const { panels } = await readDashboard();
    const drawn = panels.filter(({ targets }) => targets);
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    expect(new Set(drawn.map(({ datasource }) => datasource?.uid))).toEqual(new Set(['prometheus']));
    expect(drawn.length).toBeGreaterThan(20);
  });
});

describe.skipIf(!installed)('promtool', () => {
  test('accepts the configuration and the rules', async () => {
    expect(await runPromtool('check', 'config', 'prometheus.yml')).toContain('is valid prometheus config');
    expect(await runPromtool('check', 'rules', 'alerts.yml')).toContain('SUCCESS');
  });

  test('sees every alert fire when it should, and only then', async () => {
    expect(await runPromtool('test', 'rules', 'alerts.test.yml')).toContain('SUCCESS');
  });
});

describe.skipIf(!installed)('Prometheus, watching a system', () => {
  const shop = useSystem({ env: { LEASE_RENEWAL_INTERVAL_SECONDS: '1', LEASE_DURATION_SECONDS: '3' } });
  let watching: RunningPrometheus;

  async function numberOf(expr: string): Promise<number> {
    const [sample] = await watching.query(expr);
    return Number(sample?.value[1] ?? Number.NaN);
  }

  beforeAll(async () => {
    watching = await startPrometheus(shop.system.registryUrl);
    const alice = await shop.client('alice');
    alice.subscribe('subscription ($after: String!) { notificationReceived(after: $after) { message } }', {
      after: await feedCursorOf(alice),
    });
    await placedOrderId(alice, [{ sku: 'MUG-BLACK', quantity: 1 }]);
  });
  afterAll(() => watching?.close());

  test('finds every process through the registry, and each is up', async () => {
    const instances = await vi.waitFor(async () => {
      const up = await watching.query('up == 1');
      expect(up).toHaveLength(6);
      return up.map(({ metric }) => metric);
    }, seen);
    for (const { service, instance, job, version } of instances) {
      expect(job).toBe('portico');
      expect(instance).toMatch(new RegExp(`^127\\.0\\.0\\.1:${service}:\\d+$`));
      expect(version).toMatch(/^\d+\.\d+\.\d+/);
    }
    expect(new Set(instances.map(({ service }) => service))).toEqual(
      new Set(['discovery', 'gateway', 'products', 'inventory', 'orders', 'notifications']),
    );
  });

  test('sees an order on its way through the services', async () => {
    await vi.waitFor(async () => {
      expect(await numberOf('sum(outbox_events_published_total{service="orders"})')).toBe(1);
      expect(await numberOf('sum(events_consumed_total{service="notifications", outcome="handled"})')).toBe(
        1,
      );
      expect(await numberOf('sum(circuitbreaker_calls_total{service="orders", name="inventory"})')).toBe(1);
      expect(await numberOf('sum(gateway_live_operations)')).toBe(1);
      expect(await numberOf('sum(gateway_live_results_total)')).toBe(1);
    }, seen);
  });

  test('has data for every panel', async () => {
    const empty = await vi.waitFor(async () => {
      const results = await Promise.all(
        (await dashboardExpressions()).map(async ({ name, expr }) => ({
          name,
          data: await watching.query(expr),
        })),
      );
      const names = results.filter(({ data }) => data.length === 0).map(({ name }) => name);
      expect(names.filter(name => !emptyWhenHealthy.includes(name))).toEqual([]);
      return names;
    }, seen);
    expect(emptyWhenHealthy).toEqual(expect.arrayContaining(empty));
  });

  test('knows every metric that a rule or a panel speaks of', async () => {
    const described = await watching.describedMetrics();
    const alerts = (await readAlerts()).map(({ alert, expr }) => ({ name: alert, expr }));
    for (const { name, expr } of [...alerts, ...(await dashboardExpressions())])
      for (const metric of metricsIn(expr)) expect(described, `${name}: ${metric}`).toContain(metric);
  });

  test('sees the metrics that the documentation lists, and no others', async () => {
    const described = [...(await watching.describedMetrics())];
    const rows = (await readOperations()).matchAll(/^\| `([a-z]\w+)` \| [^|]*\| [^|]+\| [^|]+\|$/gm);
    expect(new Set([...rows].map(([, name]) => name))).toEqual(
      new Set(described.filter(name => !/^(nodejs|process)_/.test(name))),
    );
  });

  test('evaluates every rule, and none fires while all is well', async () => {
    const rules = await vi.waitFor(async () => {
      const evaluated = await watching.rules();
      expect(evaluated.map(({ health }) => health)).not.toContain('unknown');
      return evaluated;
    }, seen);
    expect(rules.filter(({ health }) => health !== 'ok')).toEqual([]);
    expect(rules.filter(({ state }) => state === 'firing')).toEqual([]);
    expect(rules).toHaveLength((await readAlerts()).length);
  });

  test('misses a service whose last instance has crashed', async () => {
    const gone = (await readAlerts()).find(({ alert }) => alert === 'ServiceGone')?.expr ?? '';
    expect(await watching.query(gone)).toEqual([]);
    await shop.system.children.get('notifications')?.stop('SIGKILL');
    await vi.waitFor(async () => {
      expect((await watching.query(gone)).map(({ metric }) => metric)).toEqual([
        { service: 'notifications' },
      ]);
      expect(await watching.query('up{service="notifications"}')).toEqual([]);
    }, seen);
  });
});
