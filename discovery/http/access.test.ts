import { describe, expect, test } from 'vitest';
import { registrationOf, startTestDiscovery } from '../testing/server.ts';

const body = JSON.stringify(registrationOf('products', 4001));

function basic(user: string, password: string): Record<string, string> {
  return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` };
}

async function register(url: string, headers: Record<string, string> = {}) {
  return (await fetch(`${url}/eureka/apps/products`, { method: 'POST', headers, body })).status;
}

describe('With a token', () => {
  test('writes need it, as a bearer token or as the password of basic auth', async () => {
    const { url } = await startTestDiscovery({ DISCOVERY_TOKEN: 'a-long-secret' });
    expect(await register(url)).toBe(401);
    expect(await register(url, { authorization: 'Bearer another' })).toBe(401);
    expect(await register(url, basic('a-long-secret', 'x'))).toBe(401);
    expect(await register(url, { authorization: 'Bearer a-long-secret' })).toBe(204);
    expect(await register(url, basic('eureka', 'a-long-secret'))).toBe(204);
    expect(await register(url, { authorization: 'bearer a-long-secret' })).toBe(204);
  });

  test('every other write needs it too', async () => {
    const { url } = await startTestDiscovery({ DISCOVERY_TOKEN: 'a-long-secret' });
    for (const [method, path] of [
      ['PUT', '/eureka/apps/A/a'],
      ['DELETE', '/eureka/apps/A/a'],
      ['PUT', '/eureka/v2/apps/A/a/status?value=UP'],
      ['POST', '/eureka/peerreplication/batch/'],
    ] as const)
      expect((await fetch(`${url}${path}`, { method })).status, path).toBe(401);
  });

  test('reads are open unless they are closed, and then a browser is asked for the password', async () => {
    const open = await startTestDiscovery({ DISCOVERY_TOKEN: 'a-long-secret' });
    expect((await fetch(`${open.url}/eureka/apps`)).status).toBe(200);
    const closed = await startTestDiscovery({
      DISCOVERY_TOKEN: 'a-long-secret',
      DISCOVERY_READS_NEED_TOKEN: 'true',
    });
    for (const path of [
      '/',
      '/eureka/apps',
      '/eureka/changes',
      '/prometheus/http_sd',
      '/dashboard/registry.json',
    ]) {
      const response = await fetch(`${closed.url}${path}`);
      expect(response.status, path).toBe(401);
      expect(response.headers.get('www-authenticate')).toMatch(/^Basic realm=/);
    }
    expect((await fetch(`${closed.url}/`, { headers: basic('', 'a-long-secret') })).status).toBe(200);
    expect((await fetch(`${closed.managementUrl}/actuator/health`)).status).toBe(200);
  });
});

describe('A web page', () => {
  test('cannot register anything, whoever looks at it', async () => {
    const { url } = await startTestDiscovery();
    expect(await register(url, { origin: 'https://evil.example' })).toBe(403);
    expect(await register(url)).toBe(204);
  });
});
