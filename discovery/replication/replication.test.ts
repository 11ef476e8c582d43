import { describe, expect, test } from 'vitest';
import { freePort } from '../../platform/free-port.ts';
import { eventually, listedAt, registerAt, registrationOf, startTestDiscovery } from '../testing/server.ts';

const json = { accept: 'application/json' };

/** Starts registries that all know the same list of addresses, their own among them. */
async function startPeers(count: number, env: Record<string, string> = {}) {
  const ports = await Promise.all(Array.from({ length: count }, freePort));
  const DISCOVERY_PEERS = ports.map(port => `http://127.0.0.1:${port}/eureka`).join(',');
  const start = (port: number | undefined) =>
    startTestDiscovery({ DISCOVERY_PORT: String(port), DISCOVERY_PEERS, ...env });
  return { started: await Promise.all(ports.map(start)), start, ports };
}

async function instanceAt(url: string, id: string) {
  const response = await fetch(`${url}/eureka/instances/${id}`, { headers: json });
  if (response.status === 404) return undefined;
  return ((await response.json()) as { instance: Record<string, unknown> }).instance;
}

async function post(url: string, replicationList: unknown[], headers: Record<string, string> = {}) {
  const response = await fetch(`${url}/eureka/peerreplication/batch/`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-netflix-discovery-replication': 'true', ...headers },
    body: JSON.stringify({ replicationList }),
  });
  return (await response.json()) as { responseList: { statusCode: number; responseEntity?: unknown }[] };
}

describe('Registries that know of one another', () => {
  test('all show what a client tells one of them', async () => {
    const { started } = await startPeers(3);
    const [a, b, c] = started.map(({ url }) => url) as [string, string, string];
    const { instanceId } = registrationOf('products', 1).instance;
    await registerAt(a, registrationOf('products', 1));
    for (const url of [b, c]) await eventually(async () => expect(await listedAt(url)).toEqual([instanceId]));
    await fetch(`${b}/eureka/apps/PRODUCTS/${instanceId}/status?value=OUT_OF_SERVICE`, { method: 'PUT' });
    for (const url of [a, c])
      await eventually(async () =>
        expect(await instanceAt(url, instanceId)).toMatchObject({ overriddenStatus: 'OUT_OF_SERVICE' }),
      );
    await fetch(`${c}/eureka/apps/PRODUCTS/${instanceId}/status`, { method: 'DELETE' });
    for (const url of [a, b])
      await eventually(async () =>
        expect(await instanceAt(url, instanceId)).toMatchObject({ overriddenStatus: 'UNKNOWN' }),
      );
    await fetch(`${a}/eureka/apps/PRODUCTS/${instanceId}/metadata?zone=b`, { method: 'PUT' });
    for (const url of [b, c])
      await eventually(async () =>
        expect(await instanceAt(url, instanceId)).toMatchObject({ metadata: { zone: 'b' } }),
      );
    await fetch(`${c}/eureka/apps/PRODUCTS/${instanceId}`, { method: 'DELETE' });
    for (const url of [a, b]) await eventually(async () => expect(await listedAt(url)).toEqual([]));
  });

  test('find their own address among the others’ and leave it out', async () => {
    const { started } = await startPeers(2);
    await eventually(async () => {
      const response = await fetch(`${started[0]?.url}/dashboard/registry.json`);
      const { peers } = (await response.json()) as { peers: { state: string }[] };
      expect(peers.map(({ state }) => state)).toEqual(['self', 'reachable']);
    });
  });

  test('pass on what they know before they end', async () => {
    const { started } = await startPeers(2);
    const [a, b] = started as [(typeof started)[0], (typeof started)[0]];
    await registerAt(a.url, registrationOf('products', 1));
    await a.close();
    expect(await listedAt(b.url)).toEqual(['127.0.0.1:products:1']);
  });

  test('hand all they know to one that starts, before it serves anybody', async () => {
    const { started, start, ports } = await startPeers(2);
    const [a, b] = started as [(typeof started)[0], (typeof started)[0]];
    await b.close();
    for (const port of [1, 2, 3]) await registerAt(a.url, registrationOf('products', port));
    await fetch(`${a.url}/eureka/apps/PRODUCTS/127.0.0.1:products:1/status?value=OUT_OF_SERVICE`, {
      method: 'PUT',
    });
    const again = await start(ports[1]);
    expect(await listedAt(again.url)).toHaveLength(3);
    expect(await instanceAt(again.url, '127.0.0.1:products:1')).toMatchObject({
      status: 'OUT_OF_SERVICE',
      overriddenStatus: 'OUT_OF_SERVICE',
    });
  });

  test('tell one that was away what it has missed', async () => {
    const { started, start, ports } = await startPeers(2, { DISCOVERY_PEER_TIMEOUT_MS: '500' });
    const [a, b] = started as [(typeof started)[0], (typeof started)[0]];
    await registerAt(a.url, registrationOf('products', 1));
    await eventually(async () => expect(await listedAt(b.url)).toHaveLength(1));
    await a.close();
    await fetch(`${b.url}/eureka/apps/PRODUCTS/127.0.0.1:products:1`, { method: 'DELETE' });
    await registerAt(b.url, registrationOf('products', 2));
    const again = await start(ports[0]);
    await eventually(async () => expect(await listedAt(again.url)).toEqual(['127.0.0.1:products:2']));
  });

  test('keep nothing for one that is away of instances that nobody has registered', async () => {
    const { url, managementUrl } = await startTestDiscovery({
      DISCOVERY_PEERS: `http://127.0.0.1:${await freePort()}/eureka`,
      DISCOVERY_PEER_TIMEOUT_MS: '200',
    });
    const pending = async () => {
      const text = await (await fetch(`${managementUrl}/actuator/prometheus`)).text();
      return /^discovery_peer_pending_instances\{.*\} (\d+)$/m.exec(text)?.[1];
    };
    for (let count = 0; count < 20; count++) {
      const gone = await fetch(`${url}/eureka/apps/PRODUCTS/made-up:${count}`, { method: 'DELETE' });
      expect(gone.status).toBe(404);
    }
    expect(await pending()).toBe('0');
    await registerAt(url, registrationOf('products', 1));
    expect(await pending()).toBe('1');
  });

  test('show the token to one another', async () => {
    const { started } = await startPeers(2, {
      DISCOVERY_TOKEN: 'a-long-secret',
      DISCOVERY_READS_NEED_TOKEN: 'true',
    });
    const headers = { authorization: 'Bearer a-long-secret' };
    await fetch(`${started[0]?.url}/eureka/apps/products`, {
      method: 'POST',
      headers,
      body: JSON.stringify(registrationOf('products', 1)),
    });
    await eventually(async () => {
      const response = await fetch(`${started[1]?.url}/eureka/instances/127.0.0.1:products:1`, { headers });
      expect(response.status).toBe(200);
    });
  });
});

describe('A batch from a peer', () => {
  const { instance } = registrationOf('products', 1);
  const named = { appName: 'PRODUCTS', id: instance.instanceId };

  test('is answered entry by entry', async () => {
    const { url } = await startTestDiscovery();
    const heartbeat = { ...named, action: 'Heartbeat', lastDirtyTimestamp: 1_700_000_000_000, status: 'UP' };
    const { responseList } = await post(url, [
      heartbeat,
      { ...named, action: 'Register', instanceInfo: instance },
      heartbeat,
      { ...heartbeat, lastDirtyTimestamp: 1_700_000_000_001 },
      { ...heartbeat, lastDirtyTimestamp: 1 },
      { ...named, action: 'StatusUpdate', status: 'OUT_OF_SERVICE' },
      { ...named, action: 'DeleteStatusOverride', status: 'UP' },
      { ...named, action: 'Explode' },
      { ...named, action: 'Register' },
      { ...named, action: 'Cancel' },
      { ...named, action: 'Cancel' },
    ]);
    expect(responseList.map(({ statusCode }) => statusCode)).toEqual([
      404, 200, 200, 404, 409, 200, 200, 400, 400, 200, 404,
    ]);
    expect(responseList[4]?.responseEntity).toMatchObject({ instanceId: instance.instanceId });
  });

  test('is not passed on again', async () => {
    const { started } = await startPeers(2);
    const [a, b] = started.map(({ url }) => url) as [string, string];
    await post(a, [{ ...named, action: 'Register', instanceInfo: instance }]);
    await registerAt(a, registrationOf('orders', 2));
    await eventually(async () => expect(await listedAt(b)).toContain('127.0.0.1:orders:2'));
    expect(await listedAt(b)).toEqual(['127.0.0.1:orders:2']);
  });

  test('that is no batch is refused', async () => {
    const { url } = await startTestDiscovery();
    const response = await fetch(`${url}/eureka/peerreplication/batch/`, { method: 'POST', body: '{}' });
    expect([response.status, await response.text()]).toEqual([
      400,
      'replicationList must be a list; it is nothing',
    ]);
  });
});
