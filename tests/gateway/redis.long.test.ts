import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { freePort } from '../../platform/free-port.ts';
import { type Front, useFront } from '../helpers/front.ts';
import { findProgram } from '../helpers/programs.ts';

const redisServer = findProgram('redis-server');
if (!redisServer)
  console.warn(
    'SKIPPED: Redis is not installed, so no gateways shared their counts (apt-get install redis-server).',
  );

describe.runIf(redisServer)('two gateways with one Redis', () => {
  let redis: ChildProcess | undefined;
  let port = 0;
  const env: Record<string, string> = {
    RATE_LIMIT_ADDRESS_PER_MINUTE: '10',
    RATE_LIMIT_ADDRESS_COST_PER_MINUTE: '100',
    GATEWAY_TRUSTED_PROXIES: 'loopback',
  };

  async function startRedis(): Promise<void> {
    redis = spawn(
      redisServer as string,
      ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
      { stdio: 'ignore' },
    );
    await vi.waitFor(
      async () => {
        const socket = connect(port, '127.0.0.1');
        await once(socket, 'connect');
        socket.destroy();
      },
      { timeout: 10_000, interval: 50 },
    );
  }
  async function stopRedis(): Promise<void> {
    if (!redis || redis.exitCode !== null) return;
    redis.kill('SIGKILL');
    await once(redis, 'exit');
  }

  beforeAll(async () => {
    port = await freePort();
    env['REDIS_URL'] = `redis://127.0.0.1:${port}`;
    await startRedis();
  });
  afterAll(stopRedis);
  const fronts = [useFront({ env }), useFront({ env })] as const;
  const [one, other] = fronts;

  beforeAll(async () => {
    for (const front of fronts) {
      const subgraph = await front.serve({
        name: 'people',
        typeDefs: `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@cost"])
          type Query { name: String dear: String @cost(weight: 60) }`,
        resolvers: { Query: { name: () => 'Ada', dear: () => 'pearl' } },
      });
      await subgraph.register();
      await vi.waitFor(async () => expect((await front.supergraph()).subgraphs.length).toBe(1), {
        timeout: 10_000,
        interval: 50,
      });
    }
  });

  async function send(front: Front, address: string, body: object) {
    const response = await fetch(front.graphUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-forwarded-for': address },
      body: JSON.stringify(body),
    });
    const answer = (await response.json()) as { data?: unknown; errors?: { extensions: { code: string } }[] };
    return {
      status: response.status,
      data: answer.data,
      code: answer.errors?.[0]?.extensions.code,
      remaining: response.headers.get('ratelimit-remaining'),
    };
  }
  const query = '{ name }';

  test('count the operations of an address together', async () => {
    for (let left = 9; left >= 0; left -= 1)
      expect((await send(left % 2 ? one : other, '192.0.2.1', { query })).remaining).toBe(String(left));
    for (const front of fronts)
      expect(await send(front, '192.0.2.1', { query })).toMatchObject({ status: 429, code: 'RATE_LIMITED' });
  });

  test('add up the costs of an address together', async () => {
    expect((await send(one, '192.0.2.2', { query: '{ dear }' })).status).toBe(200);
    expect(await send(other, '192.0.2.2', { query: '{ dear }' })).toMatchObject({
      status: 429,
      code: 'COST_BUDGET_EXCEEDED',
    });
  });

  test('know the queries that were sent to either', async () => {
    const sent = '{ once: name }';
    const extensions = {
      persistedQuery: { version: 1, sha256Hash: createHash('sha256').update(sent).digest('hex') },
    };
    const unknown = await send(other, '192.0.2.3', { extensions });
    expect(unknown.code).toBe('PERSISTED_QUERY_NOT_FOUND');
    expect((await send(one, '192.0.2.3', { query: sent, extensions })).data).toEqual({ once: 'Ada' });
    await vi.waitFor(async () =>
      expect((await send(other, '192.0.2.4', { extensions })).data).toEqual({ once: 'Ada' }),
    );
  });

  test('go on alone while Redis is away, and together again when it is back', async () => {
    await stopRedis();
    for (const front of fronts) {
      const { status, remaining } = await send(front, '192.0.2.5', { query });
      expect([status, remaining]).toEqual([200, '9']);
      const health = await front.actuator<{ components: { redis: { status: string } } }>('health');
      expect(health.status).toBe(200);
      expect(health.body.components.redis.status).toBe('UNKNOWN');
    }
    await startRedis();
    await vi.waitFor(
      async () => {
        const health = await Promise.all(
          fronts.map(front => front.actuator<{ components: { redis: { status: string } } }>('health')),
        );
        expect(health.map(({ body }) => body.components.redis.status)).toEqual(['UP', 'UP']);
      },
      { timeout: 10_000, interval: 100 },
    );
    await send(one, '192.0.2.6', { query });
    expect((await send(other, '192.0.2.6', { query })).remaining).toBe('8');
  });
});
