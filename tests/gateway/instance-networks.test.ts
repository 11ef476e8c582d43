import { describe, expect, test } from 'vitest';
import { useFront } from '../helpers/front.ts';

const inTime = { timeout: 10_000 };

describe('with SUBGRAPH_NETWORKS', () => {
  const front = useFront({ env: { SUBGRAPH_NETWORKS: '10.0.0.0/8', SDL_POLL_INTERVAL_MS: '200' } });

  async function register(port: number, hostName: string): Promise<void> {
    const response = await fetch(`${front.registryUrl}/apps/STOCK`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        instance: {
          instanceId: `${hostName}:stock`,
          app: 'STOCK',
          hostName,
          ipAddr: '10.0.0.1',
          status: 'UP',
          port: { $: port, '@enabled': 'true' },
          dataCenterInfo: { name: 'MyOwn' },
          metadata: { subgraph: 'stock' },
        },
      }),
    });
    expect(response.status).toBe(204);
  }

  test('an instance elsewhere is not asked, whether it registers an address or a name that leads there', async () => {
    const stock = await front.serve({
      name: 'stock',
      typeDefs: 'type Query { count: Int }',
      resolvers: { Query: { count: () => 3 } },
    });
    await register(stock.port, '127.0.0.1');
    await expect
      .poll(() => front.log('gateway'), inTime)
      .toContain(
        'The instance STOCK/127.0.0.1:stock is passed by: hostName must be an address in one of SUBGRAPH_NETWORKS, 10.0.0.0/8; it is',
      );
    await register(stock.port, 'localhost');
    await expect
      .poll(async () => (await front.supergraph()).faults.join(), inTime)
      .toMatch(
        /^The SDL of stock could not be read at http:\/\/localhost:\d+\/graphql: localhost is not connected to: it leads to .*127\.0\.0\.1.*, and not to an address in one of SUBGRAPH_NETWORKS, 10\.0\.0\.0\/8$/,
      );
    expect((await front.supergraph()).phase).toBe('waiting');
  });
});
