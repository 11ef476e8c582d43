import { gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, test } from 'vitest';
import { registerAt, registrationOf, startTestDiscovery } from '../testing/server.ts';

const json = { accept: 'application/json' };
const products = registrationOf('products', 4001, { metadata: { version: '1' } });
const { instanceId } = products.instance;

let url: string;

beforeEach(async () => {
  ({ url } = await startTestDiscovery({ DISCOVERY_MAX_INSTANCES: '3' }));
});

async function call(method: string, path: string, init: RequestInit = {}) {
  const response = await fetch(`${url}${path}`, { method, ...init });
  const body = await response.text();
  return { status: response.status, body, type: response.headers.get('content-type') };
}

async function instanceNow() {
  const { body } = await call('GET', `/eureka/apps/PRODUCTS/${instanceId}`, { headers: json });
  return (JSON.parse(body) as { instance: Record<string, unknown> }).instance;
}

describe('Registering', () => {
  test('answers 204 without a body, and 400 with the reason in plain text', async () => {
    expect(await registerAt(url, products)).toMatchObject({ status: 204 });
    const { dataCenterInfo: _, ...rest } = products.instance;
    const refused = await call('POST', '/eureka/apps/products', { body: JSON.stringify({ instance: rest }) });
    expect(refused).toEqual({
      status: 400,
      body: 'Missing dataCenterInfo',
      type: 'text/plain; charset=utf-8',
    });
  });

  test('takes XML, gzip, and a body without a type', async () => {
    const xml =
      '<instance><hostName>h</hostName><app>products</app><ipAddr>10.0.0.5</ipAddr><port enabled="true">80</port>' +
      '<dataCenterInfo class="c"><name>MyOwn</name></dataCenterInfo><metadata><my__key>1</my__key></metadata></instance>';
    const asXml = { headers: { 'content-type': 'application/xml' }, body: xml };
    expect(await call('POST', '/eureka/v2/apps/products', asXml)).toMatchObject({ status: 204 });
    const zipped = { headers: { 'content-encoding': 'gzip' }, body: gzipSync(JSON.stringify(products)) };
    expect(await call('POST', '/eureka/apps/products', zipped)).toMatchObject({ status: 204 });
    const { body } = await call('GET', '/eureka/apps/PRODUCTS/h', { headers: json });
    expect(JSON.parse(body)).toMatchObject({
      instance: { port: { $: 80, '@enabled': 'true' }, metadata: { my_key: '1' } },
    });
  });

  test('refuses a body that is too large, also when it is only so once unpacked', async () => {
    const large = JSON.stringify({ instance: { ...products.instance, padding: 'x'.repeat(70_000) } });
    expect((await call('POST', '/eureka/apps/products', { body: large })).status).toBe(413);
    const zipped = { headers: { 'content-encoding': 'gzip' }, body: gzipSync(large) };
    expect(await call('POST', '/eureka/apps/products', zipped)).toMatchObject({
      status: 400,
      body: 'The body is larger than 65536 bytes (DISCOVERY_MAX_REGISTRATION_BYTES)',
    });
  });

  test('answers 503 when the registry is full, also when an application tries that nobody knows', async () => {
    for (const port of [1, 2, 3]) await registerAt(url, registrationOf('products', port));
    expect((await registerAt(url, registrationOf('orders', 4))).status).toBe(503);
  });

  test('works for ids far longer than a host name', async () => {
    const id = `h:products:${'x'.repeat(250)}`;
    await registerAt(url, registrationOf('products', 1, { instanceId: id }));
    expect((await call('PUT', `/eureka/apps/PRODUCTS/${id}`)).status).toBe(200);
    expect((await call('GET', `/eureka/instances/${encodeURIComponent(id)}`, { headers: json })).status).toBe(
      200,
    );
  });
});

describe('An instance that is registered', () => {
  beforeEach(async () => {
    await registerAt(url, products);
  });

  test('is renewed with an empty 200, whatever type and query come along', async () => {
    const path = `/eureka/apps/PRODUCTS/${encodeURIComponent(instanceId)}`;
    for (const query of ['', '?status=UP&lastDirtyTimestamp=1700000000000', '?lastDirtyTimestamp=1'])
      expect(
        await call('PUT', `${path}${query}`, { headers: { 'content-type': 'application/json' } }),
      ).toMatchObject({
        status: 200,
        body: '',
      });
  });

  test('is asked to register again by an empty 404, when it is unknown or has changed', async () => {
    for (const path of [`/PRODUCTS/${instanceId}?lastDirtyTimestamp=1700000000001`, '/PRODUCTS/x', '/X/x'])
      expect(await call('PUT', `/eureka/apps${path}`)).toMatchObject({ status: 404, body: '' });
  });

  test('is taken out of service and back', async () => {
    const path = `/eureka/apps/PRODUCTS/${instanceId}/status`;
    expect((await call('PUT', `${path}?value=OUT_OF_SERVICE`)).status).toBe(200);
    expect(await instanceNow()).toMatchObject({
      status: 'OUT_OF_SERVICE',
      overriddenStatus: 'OUT_OF_SERVICE',
      actionType: 'MODIFIED',
    });
    expect((await call('DELETE', `${path}?value=UP`)).status).toBe(200);
    expect(await instanceNow()).toMatchObject({ status: 'UP', overriddenStatus: 'UNKNOWN' });
    expect(await call('PUT', `${path}?value=FINE`)).toMatchObject({
      status: 400,
      body: 'value must be one of UP, DOWN, STARTING, OUT_OF_SERVICE; it is "FINE"',
    });
    expect((await call('PUT', '/eureka/apps/PRODUCTS/x/status?value=UP')).status).toBe(404);
  });

  test('gets more metadata, which is validated as at registration', async () => {
    const path = `/eureka/apps/PRODUCTS/${instanceId}/metadata`;
    expect((await call('PUT', `${path}?zone=a&graphql.path=/graphql`)).status).toBe(200);
    expect(await instanceNow()).toMatchObject({
      metadata: { version: '1', zone: 'a', 'graphql.path': '/graphql' },
    });
    expect((await call('PUT', `${path}?graphql.path=@evil.example`)).status).toBe(400);
    expect((await call('PUT', '/eureka/apps/PRODUCTS/x/metadata?a=b')).status).toBe(404);
  });

  test('is cancelled once', async () => {
    expect(await call('DELETE', `/eureka/apps/PRODUCTS/${instanceId}`)).toMatchObject({
      status: 200,
      body: '',
    });
    expect((await call('DELETE', `/eureka/apps/PRODUCTS/${instanceId}`)).status).toBe(404);
  });

  test('is found by application, id and virtual address, on both base paths', async () => {
    for (const base of ['/eureka', '/eureka/v2'])
      for (const path of [
        '/apps',
        '/apps/',
        '/apps/products',
        `/apps/PRODUCTS/${instanceId}`,
        `/instances/${instanceId}`,
        '/vips/products',
        '/svips/products',
        '/apps/delta',
      ]) {
        const found = await call('GET', `${base}${path}`, { headers: json });
        expect(found, path).toMatchObject({
          status: 200,
          type: expect.stringContaining('application/json') as string,
        });
        expect(found.body).toContain(`"instanceId":"${instanceId}"`);
      }
    for (const path of [
      '/apps/orders',
      '/apps/PRODUCTS/x',
      '/instances/x',
      '/vips/x',
      '/svips/x',
      '/nothing',
    ])
      expect((await call('GET', `/eureka${path}`)).status, path).toBe(404);
  });

  test('is listed in XML for who does not ask for JSON, as Prometheus does not', async () => {
    const list = await call('GET', '/eureka/apps', { headers: { accept: '*/*' } });
    expect(list.type).toContain('application/xml');
    expect(list.body).toMatch(/^<applications><versions__delta>1<\/versions__delta><apps__hashcode>UP_1_</);
  });

  test('is listed gzipped for who takes that', async () => {
    const response = await fetch(`${url}/eureka/apps`, { headers: { ...json, 'accept-encoding': 'gzip' } });
    expect(response.headers.get('content-encoding')).toBe('gzip');
    expect(await response.json()).toMatchObject({ applications: { apps__hashcode: 'UP_1_' } });
  });

  test('stays in the delta after it has left, with the hash of who is left', async () => {
    await registerAt(url, registrationOf('orders', 4002));
    await call('DELETE', `/eureka/apps/PRODUCTS/${instanceId}`);
    const { body } = await call('GET', '/eureka/apps/delta', { headers: json });
    expect(JSON.parse(body)).toMatchObject({
      applications: {
        apps__hashcode: 'UP_1_',
        application: [
          { name: 'ORDERS', instance: [{ actionType: 'ADDED' }] },
          { name: 'PRODUCTS', instance: [{ instanceId, actionType: 'DELETED' }] },
        ],
      },
    });
  });
});

describe('An empty registry', () => {
  test('lists nothing, and its hash is empty', async () => {
    const { body } = await call('GET', '/eureka/apps', { headers: json });
    expect(JSON.parse(body)).toEqual({
      applications: { versions__delta: '1', apps__hashcode: '', application: [] },
    });
  });
});
