import { describe, expect, test } from 'vitest';
import { freePort } from '../../platform/free-port.ts';
import { openCuttableLink } from './cuttable-link.ts';
import {
  type DiscoveryProcess,
  eventually,
  follow,
  getJson,
  listedAt,
  registerService,
  startDiscoveryProcess,
} from './helpers.ts';

interface Health {
  components: { selfPreservation: { details: { state: string; reasons?: string[]; explanation: string } } };
}

async function preservationAt({ managementUrl }: DiscoveryProcess) {
  const health = await getJson<Health>(`${managementUrl}/actuator/health`);
  return health?.components.selfPreservation.details;
}

function idOf(port: number): string {
  return `127.0.0.1:products:${port}`;
}

describe('Three registries', () => {
  test('go on when one is killed, and it knows everything again before it serves anybody', async () => {
    const ports = [await freePort(), await freePort(), await freePort()];
    const urls = ports.map(port => `http://127.0.0.1:${port}/eureka`);
    const start = (port: number | undefined) =>
      startDiscoveryProcess({ DISCOVERY_PORT: String(port), DISCOVERY_PEERS: urls.join(',') });
    const [a, b, c] = await Promise.all([start(ports[0]), start(ports[1]), start(ports[2])]);
    const services = [4_001, 4_002, 4_003, 4_004];
    await Promise.all(services.map(port => registerService({ urls, port })));
    const all = services.map(idOf);
    for (const { eureka } of [a, b, c])
      await eventually(async () => expect(await listedAt(eureka)).toEqual(all));
    const view = follow(urls);
    await eventually(() => expect(view.up('products')).toHaveLength(4));
    let fewest = 4;
    view.onChange(() => {
      fewest = Math.min(fewest, view.up('products').length);
    });

    await a.child.stop('SIGKILL');
    await registerService({ urls, port: 4_005 });
    await eventually(() => expect(view.up('products')).toHaveLength(5));
    const firstAnswer = eventually(async () => {
      const listed = await listedAt(urls[0] ?? '');
      expect(listed).toBeDefined();
      return listed;
    }, 20_000);
    await start(ports[0]);
    expect(await firstAnswer).toEqual([...all, idOf(4_005)]);
    for (const { eureka } of [b, c]) expect(await listedAt(eureka)).toEqual([...all, idOf(4_005)]);
    expect(fewest).toBe(4);
  });
});

describe('A partition between two registries', () => {
  test('loses no live instance while it lasts nor when it heals, and says why eviction is paused', async () => {
    const [portA, portB] = [await freePort(), await freePort()];
    const [toA, toB] = [await openCuttableLink(portA), await openCuttableLink(portB)];
    const start = (port: number, peer: number) =>
      startDiscoveryProcess({
        DISCOVERY_PORT: String(port),
        DISCOVERY_PEERS: `http://127.0.0.1:${peer}/eureka`,
        DISCOVERY_PEER_TIMEOUT_MS: '500',
      });
    const [a, b] = await Promise.all([start(portA, toB.port), start(portB, toA.port)]);
    const atA = await registerService({ urls: [a.eureka], port: 4_001 });
    await registerService({ urls: [b.eureka], port: 4_002 });
    for (const { eureka } of [a, b])
      await eventually(async () => expect(await listedAt(eureka)).toEqual([idOf(4_001), idOf(4_002)]));
    const views = [follow([a.eureka]), follow([b.eureka])];
    for (const view of views) await eventually(() => expect(view.up('products')).toHaveLength(2));
    let lost = 0;
    for (const view of views)
      view.onChange(() => {
        if (!view.up('products').some(({ port }) => port === 4_002)) lost++;
      });

    toA.cut();
    toB.cut();
    for (const registry of [a, b])
      await eventually(async () => {
        const state = await preservationAt(registry);
        expect(state).toMatchObject({ state: 'on', reasons: ['peer-unreachable'] });
        expect(state?.explanation).toContain('a peer that renews leases here cannot be reached');
      });
    expect(await listedAt(a.eureka)).toEqual([idOf(4_001), idOf(4_002)]);
    expect(await listedAt(b.eureka)).toEqual([idOf(4_001), idOf(4_002)]);
    await registerService({ urls: [a.eureka], port: 4_003 });
    await atA.close();

    toA.mend();
    toB.mend();
    for (const registry of [a, b]) {
      await eventually(async () =>
        expect(await listedAt(registry.eureka)).toEqual([idOf(4_002), idOf(4_003)]),
      );
      await eventually(async () => expect(await preservationAt(registry)).toMatchObject({ state: 'off' }));
    }
    expect(lost).toBe(0);
  });
});

describe('A network that cuts many instances off at once', () => {
  test('does not empty the registry, and one crash of four still ends on time', async () => {
    const discovery = await startDiscoveryProcess();
    const link = await openCuttableLink(discovery.port);
    const urls = [`http://127.0.0.1:${link.port}/eureka`];
    const services = await Promise.all(
      [4_001, 4_002, 4_003, 4_004].map(port => registerService({ urls, port })),
    );
    const body = JSON.stringify({
      instance: {
        instanceId: 'crashed',
        hostName: 'h',
        app: 'PRODUCTS',
        ipAddr: '10.0.0.5',
        dataCenterInfo: { name: 'MyOwn' },
        leaseInfo: { renewalIntervalInSecs: 1, durationInSecs: 2 },
      },
    });
    await services[3]?.close();
    await fetch(`${discovery.eureka}/apps/PRODUCTS`, { method: 'POST', body });
    await eventually(async () => expect(await listedAt(discovery.eureka)).not.toContain('crashed'));

    link.cut();
    await eventually(async () => {
      const state = await preservationAt(discovery);
      expect(state).toMatchObject({ state: 'on', reasons: ['many-leases-late'] });
      expect(state?.explanation).toMatch(/^Eviction is paused: 3 of 3 leases missed a renewal/);
    });
    expect(await listedAt(discovery.eureka)).toHaveLength(3);
    link.mend();
    await eventually(
      async () => expect(await preservationAt(discovery)).toMatchObject({ state: 'off' }),
      15_000,
    );
    expect(await listedAt(discovery.eureka)).toHaveLength(3);
  });
});
