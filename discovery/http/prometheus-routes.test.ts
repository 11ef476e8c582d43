import { describe, expect, test } from 'vitest';
import { registerAt, registrationOf, startTestDiscovery } from '../testing/server.ts';

interface TargetGroup {
  targets: string[];
  labels: Record<string, string>;
}

describe('Prometheus', () => {
  test('finds the management target of every instance that has one, and of the registry', async () => {
    const { url, port, managementUrl } = await startTestDiscovery();
    const metadata = { 'management.port': '9001', version: '1.2.3', 'a/b': 'c' };
    await registerAt(url, registrationOf('products', 1, { metadata, status: 'DOWN' }));
    await registerAt(url, registrationOf('legacy', 2));
    await registerAt(
      url,
      registrationOf('six', 3, { hostName: '::1', metadata: { 'management.port': '9003' } }),
    );
    const response = await fetch(`${url}/prometheus/http_sd`);
    expect(response.headers.get('content-type')).toContain('application/json');
    const [own, products, six, ...more] = (await response.json()) as TargetGroup[];
    expect(more).toEqual([]);
    expect(own).toMatchObject({
      targets: [managementUrl.replace('http://', '')],
      labels: { service: 'discovery', instance: `127.0.0.1:discovery:${port}` },
    });
    expect(products).toEqual({
      targets: ['127.0.0.1:9001'],
      labels: {
        service: 'products',
        instance: '127.0.0.1:products:1',
        version: '1.2.3',
        __meta_discovery_app: 'PRODUCTS',
        __meta_discovery_hostname: '127.0.0.1',
        __meta_discovery_status: 'DOWN',
        __meta_discovery_metadata_management_port: '9001',
        __meta_discovery_metadata_version: '1.2.3',
        __meta_discovery_metadata_a_b: 'c',
      },
    });
    expect(six?.targets).toEqual(['[::1]:9003']);
  });

  test('reads the state of the registry from its metrics', async () => {
    const { url, managementUrl } = await startTestDiscovery();
    await registerAt(url, registrationOf('products', 1));
    const metrics = await (await fetch(`${managementUrl}/actuator/prometheus`)).text();
    for (const line of [
      'discovery_instances{status="UP"} 1',
      'discovery_changes_total{cause="registered"} 1',
      'discovery_self_preservation{reason="many-leases-late"} 0',
      'discovery_complete 1',
    ])
      expect(metrics).toContain(line);
  });
});
