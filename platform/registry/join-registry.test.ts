import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';
import { expect, onTestFinished, test, vi } from 'vitest';
import { loadConfig, processSettings } from '../config.ts';
import { createProcessContext } from '../process.ts';
import { joinRegistry } from './join-registry.ts';
import { registerProcess } from './register-process.ts';
import { registrySettings } from './settings.ts';

const settings = processSettings.extend(registrySettings.shape);

interface Registered {
  readonly instance: { readonly metadata: Readonly<Record<string, string>> };
}

/** A registry that takes registrations; it says who is there when it is told to. */
async function startRegistry() {
  const requests: string[] = [];
  const registered: Registered[] = [];
  const state = { tells: false, takes: true };
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url?.split('?')[0]}`);
    if (request.method === 'POST') void json(request).then(body => registered.push(body as Registered));
    if (request.method !== 'GET') response.writeHead(state.takes ? 204 : 503).end();
    else if (!state.tells) response.writeHead(503).end();
    else if (request.url?.endsWith('/changes')) response.writeHead(404).end();
    else response.end(JSON.stringify({ applications: { application: [] } }));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as { port: number };
  return { url: `http://127.0.0.1:${port}/eureka`, requests, registered, state };
}

async function startProcess(
  url: string,
  {
    calls,
    isFoundByEntry = false,
    env = {},
  }: { calls: boolean; isFoundByEntry?: boolean; env?: Readonly<Record<string, string>> },
) {
  const config = loadConfig(settings, { EUREKA_URL: url, LOG_LEVEL: 'silent', ...env });
  const context = createProcessContext('orders', config);
  onTestFinished(() => context.scope.close());
  context.health.acceptTraffic();
  if (calls) joinRegistry(context);
  registerProcess(context, { port: 4001, managementPort: 8081, graceMs: 0, isFoundByEntry, metadata: {} });
  return context;
}

const registration = 'POST /eureka/apps/ORDERS';

test('a process that calls others is not ready, and does not register, before a registry has said who is there', async () => {
  const { url, requests, state } = await startRegistry();
  const { health } = await startProcess(url, { calls: true });
  await vi.waitFor(() => expect(requests.length).toBeGreaterThan(2), { timeout: 5_000 });
  expect(requests).not.toContain(registration);
  expect(await health.check('readiness')).toMatchObject({
    status: 'OUT_OF_SERVICE',
    components: { instances: { details: { missing: expect.stringContaining('EUREKA_URL') } } },
  });
  expect((await health.check('liveness')).status).toBe('UP');

  state.tells = true;
  await vi.waitFor(() => expect(requests).toContain(registration), { timeout: 5_000 });
  expect((await health.check('readiness')).status).toBe('UP');
});

test('a process that calls nobody registers at once', async () => {
  const { url, requests } = await startRegistry();
  const { health } = await startProcess(url, { calls: false });
  await vi.waitFor(() => expect(requests).toContain(registration));
  expect((await health.check('readiness')).status).toBe('UP');
});

test('a process that is found by its entry is not ready before a registry has that, and stays ready afterwards', async () => {
  const { url, requests, state } = await startRegistry();
  state.takes = false;
  const env = { LEASE_RENEWAL_INTERVAL_SECONDS: '1' };
  const { health } = await startProcess(url, { calls: false, isFoundByEntry: true, env });
  await vi.waitFor(() => expect(requests).toContain(registration));
  expect(await health.check('readiness')).toMatchObject({
    status: 'OUT_OF_SERVICE',
    components: { registration: { details: { missing: expect.stringContaining('EUREKA_URL') } } },
  });

  state.takes = true;
  const ready = async () => expect((await health.check('readiness')).status).toBe('UP');
  await vi.waitFor(ready, { timeout: 5_000 });
  state.takes = false;
  const renewals = () => requests.filter(each => each.startsWith('PUT')).length;
  await vi.waitFor(() => expect(renewals()).toBeGreaterThan(0), { timeout: 4_000 });
  await ready();
});

test('a process registers its zone where it is told of one, and otherwise none', async () => {
  const { url, registered } = await startRegistry();
  await startProcess(url, { calls: false, env: { INSTANCE_ZONE: 'eu-central-1a' } });
  await startProcess(url, { calls: false, env: { INSTANCE_ZONE: '' } });
  await vi.waitFor(() => expect(registered).toHaveLength(2));
  const zones = registered.map(({ instance }) => instance.metadata['zone']);
  expect(new Set(zones)).toEqual(new Set(['eu-central-1a', undefined]));
});

test('a zone that is no name is refused at the start', () => {
  expect(() => loadConfig(settings, { INSTANCE_ZONE: 'a zone' })).toThrow(
    /expected up to 63 letters, digits, dots, dashes and underscores, but got a zone\s+→ at INSTANCE_ZONE/,
  );
});

test('a process that ends before it has registered ends at once, and takes nothing out of the registry', async () => {
  const { url, requests } = await startRegistry();
  const { scope } = await startProcess(url, { calls: true });
  await vi.waitFor(() => expect(requests.length).toBeGreaterThan(0));
  await scope.close();
  expect(requests.filter(each => !each.startsWith('GET'))).toEqual([]);
});
