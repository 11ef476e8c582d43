import { once } from 'node:events';
import { Eureka } from 'eureka-js-client';
import { describe, expect, onTestFinished, test } from 'vitest';
import { eventually, listedAt, startDiscoveryProcess } from './helpers.ts';

const quiet = { debug() {}, info() {}, warn() {}, error() {}, level() {} };

function createClient(port: number, name: string, servicePort: number) {
  return new Eureka({
    logger: quiet,
    shouldUseDelta: true,
    instance: {
      app: name,
      instanceId: `${name}-${servicePort}`,
      hostName: 'localhost',
      ipAddr: '127.0.0.1',
      vipAddress: `${name}.internal`,
      port: { $: servicePort, '@enabled': true },
      dataCenterInfo: { '@class': 'com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo', name: 'MyOwn' },
      leaseInfo: { renewalIntervalInSecs: 1, durationInSecs: 2 },
    },
    eureka: { host: '127.0.0.1', port, heartbeatInterval: 300, registryFetchInterval: 300 },
  });
}

async function started(client: Eureka): Promise<Eureka> {
  await new Promise<void>((resolve, reject) => client.start(error => (error ? reject(error) : resolve())));
  onTestFinished(() => client.stop());
  return client;
}

describe('eureka-js-client', () => {
  test('registers, stays registered by its heartbeats, and sees others come and go through deltas', async () => {
    const { eureka, port } = await startDiscoveryProcess();
    const products = await started(createClient(port, 'products', 4001));
    expect(products.getInstancesByAppId('products')).toMatchObject([
      { instanceId: 'products-4001', status: 'UP', port: { $: 4001 } },
    ]);
    const orders = await started(createClient(port, 'orders', 4002));
    await eventually(() => expect(products.getInstancesByVipAddress('orders.internal')).toHaveLength(1));
    // Several heartbeats outlast the lease of two seconds.
    for (let count = 0; count < 8; count++) await once(products as never, 'heartbeat');
    expect(await listedAt(eureka)).toEqual(['orders-4002', 'products-4001']);
    await new Promise<void>((resolve, reject) => orders.stop(error => (error ? reject(error) : resolve())));
    expect(await listedAt(eureka)).toEqual(['products-4001']);
    await eventually(() => expect(products.getInstancesByVipAddress('orders.internal')).toHaveLength(0));
  });

  test('registers again by itself at a registry that has forgotten it', async () => {
    const { eureka, port } = await startDiscoveryProcess();
    await started(createClient(port, 'products', 4001));
    await fetch(`${eureka}/apps/PRODUCTS/products-4001`, { method: 'DELETE' });
    await eventually(async () => expect(await listedAt(eureka)).toEqual(['products-4001']));
  });
});
