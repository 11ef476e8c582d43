import { once } from 'node:events';
import { createServer, request as httpRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { registerService } from '../discovery/helpers.ts';
import { useFront } from '../helpers/front.ts';
import { loadWhile } from '../helpers/load.ts';

const books = {
  name: 'books',
  typeDefs: `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])
    type Query { title: String }`,
  resolvers: { Query: { title: () => 'Emma' } },
};

/** Renewal interval of the instance in these tests, in ms. */
const renewalMs = 1_000;

describe('a registry that is killed and started again', () => {
  const front = useFront();

  test('is complete within one renewal interval, and meanwhile no query fails', async () => {
    const { port } = await front.serve(books);
    const registered = await registerService({
      urls: [front.registryUrl],
      service: 'books',
      port,
      lease: { renewalIntervalSeconds: renewalMs / 1_000, durationSeconds: 30 },
    });
    const send = async () => {
      const { data } = await front.anyone.request<{ title: string }>('{ title }');
      return data?.title === 'Emma' ? undefined : (data ?? 'no data');
    };
    await expect.poll(() => send().catch(() => 'not yet'), { timeout: 10_000 }).toBeUndefined();
    expect(registered.registered).toBe(true);

    const report = await loadWhile({ ratePerSecond: 40, send }, async () => {
      await front.discovery.stop('SIGKILL');
      await delay(renewalMs);
      await front.startDiscovery();
      const startedAtMs = performance.now();
      await expect
        .poll(async () => (await fetch(`${front.registryUrl}/apps/BOOKS`)).status, { timeout: 5_000 })
        .toBe(200);
      expect(performance.now() - startedAtMs).toBeLessThan(renewalMs + 500);
      await delay(renewalMs);
    });

    expect(report.failures).toEqual([]);
    expect(report.sent).toBeGreaterThan(80);
    expect(await front.supergraph()).toMatchObject({ phase: 'serving', absent: [] });
  });
});

describe('a Eureka server without a change stream', () => {
  const front = useFront();
  let proxy: Server | undefined;
  afterAll(() => proxy?.close());

  test('is followed by polling', async () => {
    proxy = createServer((incoming, outgoing) => {
      if (incoming.url?.endsWith('/changes')) {
        outgoing.writeHead(404).end();
        return;
      }
      const { method, headers, url } = incoming;
      incoming.pipe(
        httpRequest(new URL(url ?? '', front.registryUrl), { method, headers }, answer => {
          outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
          answer.pipe(outgoing);
        }),
      );
    }).listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    await front.gateway.stop();
    await front.startGateway({
      EUREKA_URL: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}/eureka`,
      SUBGRAPH_REMOVAL_GRACE_MS: '100',
    });
    const ask = async () => (await front.anyone.request('{ title }')).data;

    const subgraph = await front.serve(books);
    await subgraph.register();
    await expect.poll(ask, { timeout: 15_000 }).toEqual({ title: 'Emma' });

    await (
      await front.serve({
        name: 'films',
        typeDefs: books.typeDefs.replace('title', 'film'),
        resolvers: { Query: { film: () => 'M' } },
      })
    ).register();
    await expect
      .poll(async () => (await front.anyone.request('{ title film }')).data, { timeout: 15_000 })
      .toEqual({ title: 'Emma', film: 'M' });
    await subgraph.deregister();
    await expect
      .poll(async () => (await front.supergraph()).subgraphs.map(({ name }) => name), { timeout: 15_000 })
      .toEqual(['films']);
  });
});
