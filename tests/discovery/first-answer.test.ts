import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Child, startChild } from '../../dev/child.ts';
import { createGraphClient } from '../../dev/graph-client.ts';
import { callerHeader, createCallerTokens } from '../../platform/caller.ts';
import { makeDataDir, useSystem } from '../helpers/system.ts';
import { type CuttableLink, openCuttableLink } from './cuttable-link.ts';
import { eventually, listedAt } from './helpers.ts';

interface Health {
  readonly status: string;
  readonly components: Readonly<Record<string, { readonly status: string }>>;
}

const order = `mutation { placeOrder(input: { items: [{ sku: "MUG-BLACK", quantity: 1 }], idempotencyKey: "first" }) {
  __typename
} }`;

/** Address of a registry that is gone. */
const gone = 'http://127.0.0.1:1/eureka';

describe('a process that starts while no registry answers', () => {
  const shop = useSystem();

  /** Starts one more process, which reaches the registry by a link that is cut. */
  async function startApart(name: 'orders' | 'gateway'): Promise<{ child: Child; link: CuttableLink }> {
    const { registryUrl, databaseUrls, kafkaBrokers, keys } = shop.system;
    const link = await openCuttableLink(Number(new URL(registryUrl).port));
    link.cut();
    const dataDir = await makeDataDir();
    // The gateway remembers the graph of the one that runs, so that only the registry is missing.
    await cp(join(shop.dataDir, 'gateway'), dataDir, { recursive: true });
    const child = await startChild({
      name,
      entry: name === 'orders' ? 'subgraphs/orders/main.ts' : 'gateway/main.ts',
      onLine: () => {},
      env: {
        EUREKA_URL: `${gone},http://127.0.0.1:${link.port}/eureka`,
        LEASE_RENEWAL_INTERVAL_SECONDS: '1',
        MANAGEMENT_PORT: '0',
        GATEWAY_PORT: '0',
        GATEWAY_DATA_DIR: dataDir,
        CALLER_SECRET: keys.callerSecret,
        JWT_JWKS_URL: keys.jwksUrl,
        DATABASE_URL: databaseUrls.orders,
        KAFKA_BROKERS: kafkaBrokers,
      },
    });
    onTestFinished(() => child.stop());
    return { child, link };
  }

  async function healthOf({ ready }: Child, group = 'readiness'): Promise<Health & { code: number }> {
    const url = `http://127.0.0.1:${ready.ports?.['management']}/actuator/health/${group}`;
    const response = await fetch(url);
    return { ...((await response.json()) as Health), code: response.status };
  }

  /** Waits until the process is not ready, and for want of these alone. */
  async function untilMissing(child: Child, ...names: readonly string[]): Promise<void> {
    await eventually(async () => {
      const { code, components } = await healthOf(child);
      const missing = Object.entries(components).filter(([, { status }]) => status !== 'UP');
      expect(missing).toMatchObject(names.map(name => [name, { status: 'OUT_OF_SERVICE' }]));
      expect(code).toBe(503);
    });
    expect((await healthOf(child, 'liveness')).code).toBe(200);
  }

  async function untilReady(child: Child): Promise<void> {
    await eventually(async () => expect(await healthOf(child)).toMatchObject({ code: 200 }));
  }

  /** Takes the registry away again, and waits until the process has noticed. */
  async function expectReadyWithout(link: CuttableLink, child: Child): Promise<void> {
    const { port } = new URL(`http://127.0.0.1:${child.ready.ports?.['http']}`);
    await eventually(async () =>
      expect(await listedAt(shop.system.registryUrl)).toContain(`127.0.0.1:${child.name}:${port}`),
    );
    link.cut();
    await eventually(async () => {
      const { components } = await healthOf(child, '');
      expect(components['discovery']?.status).toBe('UNKNOWN');
    });
    expect(await healthOf(child)).toMatchObject({ code: 200, components: { instances: { status: 'UP' } } });
  }

  test('orders is alive, and ready only when it knows whom to ask, and the registry knows of it', async () => {
    const { child, link } = await startApart('orders');
    await untilMissing(child, 'instances', 'registration');
    link.mend();
    await untilReady(child);
    const tokens = createCallerTokens(shop.system.keys.callerSecret);
    const response = await fetch(`http://127.0.0.1:${child.ready.ports?.['http']}/graphql`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        [callerHeader]: await tokens.sign({ kind: 'customer', id: 'alice', scopes: [] }, 'orders'),
      },
      body: JSON.stringify({ query: order }),
    });
    expect(await response.json()).toEqual({ data: { placeOrder: { __typename: 'OrderPlaced' } } });
    await expectReadyWithout(link, child);
  });

  test('the gateway as well, though it remembers its graph', async () => {
    const { child, link } = await startApart('gateway');
    await untilMissing(child, 'instances');
    link.mend();
    await untilReady(child);
    const client = createGraphClient(`http://127.0.0.1:${child.ready.ports?.['http']}/graphql`);
    onTestFinished(() => client.close());
    const { errors } = await client.request('{ products(first: 1) { edges { node { name inStock } } } }');
    expect(errors).toBeUndefined();
    await expectReadyWithout(link, child);
  });
});
