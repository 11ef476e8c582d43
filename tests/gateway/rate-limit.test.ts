import { createClient } from 'graphql-ws';
import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { useFront } from '../helpers/front.ts';
import { metricOf } from '../helpers/metrics.ts';

const front = useFront({
  env: {
    RATE_LIMIT_CALLER_PER_MINUTE: '3',
    RATE_LIMIT_ADDRESS_PER_MINUTE: '4',
    GATEWAY_TRUSTED_PROXIES: 'loopback',
  },
});
beforeAll(async () => {
  const subgraph = await front.serve({
    name: 'people',
    typeDefs: 'type Query { name: String }',
    resolvers: { Query: { name: () => 'Ada' } },
  });
  await subgraph.register();
  await vi.waitFor(async () => expect((await front.supergraph()).subgraphs.length).toBe(1), {
    timeout: 10_000,
    interval: 50,
  });
});

function send(headers: Record<string, string>): Promise<Response> {
  return fetch(front.graphUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: '{"query":"{ name }"}',
  });
}
const remaining = (response: Response) => response.headers.get('ratelimit-remaining');

describe('operations are counted', () => {
  test('by the caller of a token, wherever they come from', async () => {
    const authorization = `Bearer ${await front.keys.mintToken('alice')}`;
    for (const left of ['2', '1', '0']) {
      const response = await send({ authorization, 'x-forwarded-for': `192.0.2.${left}` });
      expect([response.status, remaining(response)]).toEqual([200, left]);
    }
    const refused = await send({ authorization });
    expect(refused.status).toBe(429);
    const { errors } = (await refused.json()) as { errors: { extensions: Record<string, unknown> }[] };
    expect(errors[0]?.extensions['code']).toBe('RATE_LIMITED');
    const seconds = Number(refused.headers.get('retry-after'));
    expect(seconds).toBe(errors[0]?.extensions['retryAfterSeconds']);
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(60);
    expect(await metricOf(front.gateway, 'gateway_operations_rate_limited_total', { by: 'caller' })).toBe(1);
    const other = await send({ authorization: `Bearer ${await front.keys.mintToken('bob')}` });
    expect(other.status).toBe(200);
  });

  test('by the address that a trusted proxy names', async () => {
    for (const left of ['3', '2', '1', '0'])
      expect(remaining(await send({ 'x-forwarded-for': '203.0.113.7' }))).toBe(left);
    expect((await send({ 'x-forwarded-for': '203.0.113.7' })).status).toBe(429);
    // What a client itself puts before the proxy's address is not believed.
    expect((await send({ 'x-forwarded-for': '198.51.100.1, 203.0.113.7' })).status).toBe(429);
    expect((await send({ 'x-forwarded-for': '203.0.113.8' })).status).toBe(200);
  });

  test('over a WebSocket too', async () => {
    const client = createClient({
      url: front.graphUrl.replace('http', 'ws'),
      webSocketImpl: WebSocket,
      connectionParams: { authorization: `Bearer ${await front.keys.mintToken('carol')}` },
    });
    onTestFinished(() => client.dispose());
    const ask = () => client.iterate({ query: '{ name }' }).next();
    for (let count = 0; count < 3; count += 1) expect((await ask()).value).toEqual({ data: { name: 'Ada' } });
    await expect(ask()).rejects.toMatchObject([{ extensions: { code: 'RATE_LIMITED' } }]);
  });
});
