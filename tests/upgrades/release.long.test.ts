import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { logToFiles } from '../../dev/logs.ts';
import { findLastingPorts } from '../../dev/ports.ts';
import { Processes } from '../../dev/processes.ts';
import type { System } from '../../dev/system.ts';
import { deployMigrations } from '../../prisma/migrate.ts';
import { serviceNames } from '../../services.ts';
import { startCustomers } from '../chaos/customers.ts';
import { loadWhile } from '../helpers/load.ts';
import { createQuerier } from '../helpers/querier.ts';
import { isolatedSettings, makeDataDir } from '../helpers/system.ts';
import { checkOut, findEarlierRef, type Release } from './release.ts';

const ref = await findEarlierRef();
if (!ref)
  console.warn(
    'SKIPPED: no earlier release was upgraded, as no tag is reachable. UPGRADE_FROM may name a commit to upgrade from.',
  );

/** Services in the order of docs/upgrades.md. */
const services = ['inventory', 'notifications', 'products', 'orders'] as const;
/** Longest time until the registry knows who came and who left, in ms. */
const registeredWithinMs = 60_000;

describe.skipIf(!ref)(`a system of ${ref} that becomes one of these sources while customers order`, () => {
  let release: Release;
  let system: System;
  let processes: Processes;
  let dataDir = '';
  let graphPort = 0;
  let registryPort = 0;

  beforeAll(async () => {
    release = await checkOut(ref ?? '');
    dataDir = await makeDataDir();
    const [gateway = 0, discovery = 0, postgres, kafka] = await findLastingPorts(4);
    [graphPort, registryPort] = [gateway, discovery];
    const settings = isolatedSettings(dataDir, {
      GATEWAY_PORT: String(gateway),
      DISCOVERY_PORT: String(discovery),
      POSTGRES_PORT: String(postgres),
      KAFKA_PORT: String(kafka),
    });
    const scale = Object.fromEntries(serviceNames.map(name => [name, 2]));
    system = await release.startSystem({ settings, scale, onLine: logToFiles(join(dataDir, 'before')) });
    processes = new Processes({ env: {}, onLine: logToFiles(dataDir), signal: undefined });
  }, 600_000);
  afterAll(async () => {
    await processes?.close();
    await system?.close();
    await release?.remove();
    if (process.env['KEEP_TEST_DATA']) console.log(`The data of this system is in ${dataDir}`);
    else await rm(dataDir, { recursive: true, force: true });
  });

  async function untilRegistered(app: string, count: number): Promise<void> {
    const registered = async () => {
      const response = await fetch(`${system.registryUrl}/apps/${app.toUpperCase()}`, {
        headers: { accept: 'application/json' },
      });
      if (!response.ok) return 0;
      return ((await response.json()) as { application: { instance: unknown[] } }).application.instance
        .length;
    };
    await expect.poll(registered, { timeout: registeredWithinMs }).toBe(count);
  }

  const common = () => ({ EUREKA_URL: system.registryUrl, CALLER_SECRET: system.keys.callerSecret });

  async function upgradeServices(): Promise<void> {
    for (const service of serviceNames)
      await deployMigrations({ service, databaseUrl: system.databaseUrls[service] });
    for (const service of services)
      for (const instance of [1, 2]) {
        await processes.start(`${service}-${instance}`, `subgraphs/${service}/main.ts`, {
          ...common(),
          PORT: '0',
          MANAGEMENT_PORT: '0',
          DATABASE_URL: system.databaseUrls[service],
          KAFKA_BROKERS: system.kafkaBrokers,
        });
        await untilRegistered(service, 3);
        await system.children.get(`${service}-${instance}`)?.stop();
        await untilRegistered(service, 2);
      }
  }

  async function upgradeGateway(): Promise<void> {
    await system.children.get('gateway')?.stop();
    await processes.start('gateway', 'gateway/main.ts', {
      ...common(),
      GATEWAY_PORT: String(graphPort),
      MANAGEMENT_PORT: '0',
      GATEWAY_DATA_DIR: join(dataDir, 'gateway'),
      JWT_JWKS_URL: system.keys.jwksUrl,
    });
  }

  async function upgradeRegistry(): Promise<void> {
    await system.children.get('discovery')?.stop();
    await processes.start('discovery', 'discovery/main.ts', {
      DISCOVERY_PORT: String(registryPort),
      MANAGEMENT_PORT: '0',
    });
    for (const service of services) await untilRegistered(service, 2);
  }

  test('loses no order, holds its stock, and tells of each exactly once', async () => {
    const customers = await startCustomers(async () => system);
    onTestFinished(() => customers.close());
    const send = await createQuerier(system);
    const duringServices = await loadWhile({ ratePerSecond: 10, send }, upgradeServices);
    // There is one of it, so that queries may fail meanwhile; customers try again.
    await upgradeGateway();
    await expect.poll(send, { timeout: registeredWithinMs }).toBeUndefined();
    const duringRegistry = await loadWhile({ ratePerSecond: 10, send }, upgradeRegistry);
    const { ledger, restless, violations } = await customers.finish();

    const placed = ledger.orders.filter(({ placedIds }) => placedIds.size > 0).length;
    console.log(`${duringServices.sent + duringRegistry.sent} queries, ${placed} orders`);
    expect([...system.children.keys()].toSorted()).toEqual(['kafka', 'postgres']);
    for (const { failures } of [duringServices, duringRegistry]) expect([...new Set(failures)]).toEqual([]);
    expect(restless).toEqual([]);
    expect(violations).toEqual([]);
    expect(placed).toBeGreaterThan(10);
    expect(ledger.heard.length).toBeGreaterThanOrEqual(placed);
  }, 400_000);
});
