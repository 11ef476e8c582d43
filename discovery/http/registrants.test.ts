import { Agent, request } from 'undici';
import { expect, onTestFinished, test } from 'vitest';
import { freePort } from '../../platform/free-port.ts';
import { eventually, listedAt, registrationOf, startTestDiscovery } from '../testing/server.ts';

const limits = { DISCOVERY_MAX_INSTANCES_PER_ADDRESS: '2' };

/** Calls a registry from one of the machine's own addresses. */
function callsFrom(localAddress: string) {
  const dispatcher = new Agent({ localAddress });
  onTestFinished(() => dispatcher.close());
  return async (url: string, body: unknown, headers: Record<string, string> = {}) => {
    const answer = await request(url, {
      dispatcher,
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
    return { status: answer.statusCode, text: await answer.body.text() };
  };
}

const products = (port: number, facts?: Record<string, unknown>) => registrationOf('products', port, facts);
const replicated = { 'x-netflix-discovery-replication': 'true', 'x-discovery-registry': 'somebody' };

test('an address that registers without end has as many instances as it may, and pushes nobody out', async () => {
  const { url, managementUrl } = await startTestDiscovery({ ...limits, DISCOVERY_MAX_INSTANCES: '4' });
  const [flood, other] = [callsFrom('127.0.0.2'), callsFrom('127.0.0.3')];
  const apps = `${url}/eureka/apps/products`;
  const statuses: number[] = [];
  for (let port = 1; port <= 10; port++) statuses.push((await flood(apps, products(port))).status);
  expect(statuses).toEqual([204, 204, ...Array.from({ length: 8 }, () => 403)]);
  expect(await flood(apps, products(11))).toEqual({
    status: 403,
    text: '127.0.0.1:products:11 cannot register: 127.0.0.2 has registered its most instances, 2 (DISCOVERY_MAX_INSTANCES_PER_ADDRESS)',
  });
  expect((await other(apps, products(12))).status).toBe(204);
  const metrics = await (await fetch(`${managementUrl}/actuator/prometheus`)).text();
  expect(metrics).toContain('discovery_registrations_refused_total{limit="instances_per_address"} 9');
  expect(metrics).toContain('discovery_registrations_refused_total{limit="instances"} 0');

  // What it has may change, and one that leaves makes room.
  expect((await flood(apps, products(1, { lastDirtyTimestamp: '1700000000001' }))).status).toBe(204);
  await fetch(`${apps}/127.0.0.1:products:1`, { method: 'DELETE' });
  expect((await flood(apps, products(13))).status).toBe(204);
});

test('an address can not say that it is a registry to have more', async () => {
  const { url } = await startTestDiscovery({ ...limits, DISCOVERY_PEERS: 'http://127.0.0.9:1/eureka' });
  const flood = callsFrom('127.0.0.2');
  for (let port = 1; port <= 3; port++)
    expect((await flood(`${url}/eureka/apps/products`, products(port), replicated)).status).toBe(
      port <= 2 ? 204 : 403,
    );
  const batch = [4, 5].map(port => {
    const { instance } = products(port);
    return { appName: 'PRODUCTS', id: instance.instanceId, action: 'Register', instanceInfo: instance };
  });
  const { text } = await flood(
    `${url}/eureka/peerreplication/batch/`,
    { replicationList: batch },
    replicated,
  );
  expect(JSON.parse(text)).toEqual({ responseList: [{ statusCode: 403 }, { statusCode: 403 }] });
  expect(await listedAt(url)).toHaveLength(2);
});

test('what a peer passes on does not count', async () => {
  const ports = [await freePort(), await freePort()];
  const DISCOVERY_PEERS = ports.map(port => `http://127.0.0.1:${port}/eureka`).join(',');
  const [a, b] = await Promise.all(
    ports.map(port => startTestDiscovery({ ...limits, DISCOVERY_PEERS, DISCOVERY_PORT: String(port) })),
  );
  for (const [index, port] of [1, 2, 3, 4, 5, 6].entries()) {
    const from = callsFrom(`127.0.0.${2 + Math.floor(index / 2)}`);
    expect((await from(`${a?.url}/eureka/apps/products`, products(port))).status).toBe(204);
  }
  await eventually(async () => expect(await listedAt(b?.url ?? '')).toHaveLength(6));
});

test('0 lets an address register as many as the registry takes', async () => {
  const { url } = await startTestDiscovery({ DISCOVERY_MAX_INSTANCES_PER_ADDRESS: '0' });
  const call = callsFrom('127.0.0.2');
  for (let port = 1; port <= 5; port++)
    expect((await call(`${url}/eureka/apps/products`, products(port))).status).toBe(204);
});
