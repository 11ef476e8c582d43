import { createServer } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import { eventually, registerAt, registrationOf, startTestDiscovery } from '../testing/server.ts';

async function getJson(url: string): Promise<unknown> {
  return (await fetch(url)).json();
}

/** A gateway that answers with this at `/actuator/supergraph`. */
async function startGatewayStub(status: number, body: string): Promise<number> {
  const server = createServer((request, response) => {
    response.statusCode = request.url === '/actuator/supergraph' ? status : 404;
    response.end(body);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return (server.address() as { port: number }).port;
}

describe('The dashboard', () => {
  test('is made of files of this process, and may load nothing else', async () => {
    const { url } = await startTestDiscovery();
    const page = await fetch(`${url}/`);
    const html = await page.text();
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'; script-src 'self'");
    const linked = [...html.matchAll(/(?:src|href)="(\/dashboard\/[^"]+\.(?:js|css))"/g)].map(
      ([, path]) => path,
    );
    expect(linked).toHaveLength(3);
    for (const path of [...linked, '/dashboard/render.js', '/dashboard/graph.js', '/dashboard/dom.js'])
      expect((await fetch(`${url}${path}`)).status, path).toBe(200);
    expect(html).not.toMatch(/(?:src|href)="https?:/);
  });

  test('shows each instance with the age of its lease, and the last changes', async () => {
    const { url } = await startTestDiscovery();
    const metadata = {
      version: '1.2.3',
      zone: 'eu-central-1a',
      'schema.hash': 'abc',
      subgraph: 'products',
      'management.port': '9001',
    };
    await registerAt(url, registrationOf('products', 1, { metadata }));
    await fetch(`${url}/eureka/apps/PRODUCTS/127.0.0.1:products:1/status?value=OUT_OF_SERVICE`, {
      method: 'PUT',
    });
    expect(await getJson(`${url}/dashboard/registry.json`)).toMatchObject({
      complete: true,
      countByStatus: { OUT_OF_SERVICE: 1 },
      selfPreservation: { state: 'off', explanation: 'Leases end on time.' },
      applications: [
        {
          name: 'PRODUCTS',
          instances: [
            {
              id: '127.0.0.1:products:1',
              address: '127.0.0.1:1',
              status: 'OUT_OF_SERVICE',
              override: 'OUT_OF_SERVICE',
              leaseAgeMs: expect.any(Number) as number,
              leaseDurationMs: 90_000,
              version: '1.2.3',
              zone: 'eu-central-1a',
              schemaHash: 'abc',
              subgraph: 'products',
              healthUrl: 'http://127.0.0.1:9001/actuator/health',
            },
          ],
        },
      ],
      lastChanges: [
        { cause: 'status', status: 'OUT_OF_SERVICE' },
        { cause: 'registered', status: 'UP' },
      ],
    });
  });

  test('shows what a registered gateway says of its graph', async () => {
    const { url } = await startTestDiscovery();
    const port = await startGatewayStub(200, '{"phase":"serving"}');
    await registerAt(url, registrationOf('gateway', 4000, { metadata: { 'management.port': String(port) } }));
    expect(await getJson(`${url}/dashboard/graph.json`)).toEqual({
      gateway: '127.0.0.1:gateway:4000',
      graph: { phase: 'serving' },
    });
  });

  test('says why there is nothing to say of the graph', async () => {
    const { url } = await startTestDiscovery();
    expect(await getJson(`${url}/dashboard/graph.json`)).toEqual({
      error: 'No instance of GATEWAY with a management port is UP',
    });
    const port = await startGatewayStub(500, 'broken');
    await registerAt(url, registrationOf('gateway', 4000, { metadata: { 'management.port': String(port) } }));
    await eventually(async () =>
      expect(await getJson(`${url}/dashboard/graph.json`)).toEqual({
        error: 'No gateway answered (127.0.0.1:gateway:4000: it answered 500)',
      }),
    );
  });
});

describe('The health of the registry', () => {
  test('says whether eviction is paused, and does not depend on it', async () => {
    const { managementUrl } = await startTestDiscovery();
    expect(await getJson(`${managementUrl}/actuator/health`)).toMatchObject({
      status: 'UP',
      components: {
        selfPreservation: { status: 'UP', details: { state: 'off', explanation: 'Leases end on time.' } },
        registry: { details: { instances: 0, complete: true } },
      },
    });
  });
});
