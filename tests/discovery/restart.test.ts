import { describe, expect, test } from 'vitest';
import { freePort } from '../../platform/free-port.ts';
import { eventually, follow, getJson, listedAt, registerService, startDiscoveryProcess } from './helpers.ts';

const renewalIntervalMs = 1_000;

/** Registers an instance that renews less often than a test lasts. */
async function registerSilently(eureka: string, instanceId: string, leaseInfo?: Record<string, number>) {
  const dataCenterInfo = { name: 'MyOwn' };
  const instance = {
    instanceId,
    hostName: 'h',
    app: 'PRODUCTS',
    ipAddr: '10.0.0.5',
    dataCenterInfo,
    leaseInfo,
  };
  await fetch(`${eureka}/apps/PRODUCTS`, { method: 'POST', body: JSON.stringify({ instance }) });
}

describe('A registry that is killed and started again', () => {
  test('is complete within one renewal interval, and nobody who follows it loses an instance meanwhile', async () => {
    const env = { DISCOVERY_PORT: String(await freePort()) };
    const first = await startDiscoveryProcess(env);
    const urls = [first.eureka];
    const ports = Array.from({ length: 10 }, (_, index) => 4_000 + index);
    await Promise.all(ports.map(port => registerService({ urls, port })));
    await registerSilently(first.eureka, 'renews-later');
    const view = follow(urls);
    await eventually(() => expect(view.up('products')).toHaveLength(11));
    let fewest = 11;
    view.onChange(() => {
      fewest = Math.min(fewest, view.up('products').length);
    });

    await first.child.stop('SIGKILL');
    const second = await startDiscoveryProcess(env);
    const readyAt = performance.now();
    await eventually(async () => expect(await listedAt(second.eureka)).toHaveLength(10));
    expect(performance.now() - readyAt).toBeLessThan(renewalIntervalMs + 500);
    // The follower has heard the restarted registry once it knows of this one.
    await registerService({ urls, port: 5_000 });
    await eventually(() => expect(view.up('products')).toHaveLength(12));
    expect(fewest).toBe(11);
  });

  test('lets go of who died with it, once it has been up long enough to know everybody', async () => {
    const env = { DISCOVERY_PORT: String(await freePort()), DISCOVERY_WARMUP_MS: '1500' };
    const first = await startDiscoveryProcess(env);
    const urls = [first.eureka];
    await registerService({ urls, port: 4_000 });
    await registerSilently(first.eureka, 'dead');
    const view = follow(urls);
    await eventually(() => expect(view.up('products')).toHaveLength(2));
    await first.child.stop('SIGKILL');
    await startDiscoveryProcess(env);
    await eventually(() => expect(view.up('products').map(({ port }) => port)).toEqual([4_000]));
  });
});

describe('A registry that is asked to end', () => {
  test('says that it is not ready, ends its streams, and exits', async () => {
    const discovery = await startDiscoveryProcess();
    const stream = await fetch(`${discovery.eureka}/changes`);
    const ended = stream.text().catch(() => 'broken');
    expect(await getJson(`${discovery.managementUrl}/actuator/health/readiness`)).toMatchObject({
      status: 'UP',
    });
    const startedAt = performance.now();
    await discovery.child.stop();
    expect(await ended).toContain('event: snapshot');
    expect(await discovery.child.ended).toBe('with exit code 0');
    expect(performance.now() - startedAt).toBeLessThan(3_000);
  });
});

describe('A lease', () => {
  test('ends at its duration after the instance has died, and not at twice that', async () => {
    const { eureka, url } = await startDiscoveryProcess();
    const view = follow([eureka]);
    await registerSilently(eureka, 'dying', { renewalIntervalInSecs: 1, durationInSecs: 2 });
    const registeredAt = performance.now();
    await eventually(() => expect(view.up('products')).toHaveLength(1));
    await eventually(() => expect(view.up('products')).toHaveLength(0));
    const livedMs = performance.now() - registeredAt;
    expect(livedMs).toBeGreaterThan(1_900);
    expect(livedMs).toBeLessThan(3_000);
    const overview = await getJson<{ lastChanges: { cause: string }[] }>(`${url}/dashboard/registry.json`);
    expect(overview?.lastChanges[0]).toMatchObject({ cause: 'expired', id: 'dying' });
  });
});
