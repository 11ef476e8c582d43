import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { createClient as createSseClient } from 'graphql-sse';
import { createClient } from 'graphql-ws';
import { Agent, fetch } from 'undici';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { canMakeCertificates } from '../helpers/certificates.ts';
import { metricOf } from '../helpers/metrics.ts';
import { speak } from '../helpers/raw-client.ts';
import { answerOf, headersOf, openSession, readUntil, send } from './http2-client.ts';
import { answer, query, useSecureFront } from './secure-front.ts';

if (!canMakeCertificates)
  console.log('Skipped: the gateway over TLS, as there is no openssl to make certificates');

describe.skipIf(!canMakeCertificates)('a gateway with a certificate', () => {
  const secure = useSecureFront();
  const { front } = secure;
  const open = () => openSession(secure.url, { ca: secure.ca });
  const headersOfConnections = ['connection', 'keep-alive', 'transfer-encoding', 'upgrade'];
  const liveOperations = () => metricOf(front.gateway, 'gateway_live_operations');

  function dispatcherOf(allowH2: boolean): Agent {
    const agent = new Agent({ allowH2, connect: { ca: secure.ca } });
    onTestFinished(() => agent.destroy());
    return agent;
  }

  test.each([
    ['HTTP/1.1', false],
    ['HTTP/2', true],
  ])('answers over %s', async (_protocol, allowH2) => {
    const dispatcher = dispatcherOf(allowH2);
    // The second time, the operation is known.
    for (const _time of [1, 2]) {
      const response = await fetch(secure.url, {
        dispatcher,
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query }),
      });
      expect([response.status, await response.json()]).toEqual([200, answer]);
    }
    const page = await fetch(new URL('/ide/', secure.url), { dispatcher });
    expect(await page.text()).toContain('<title>Portico: GraphiQL</title>');
  });

  test('answers nobody without TLS', async () => {
    const text = `GET /graphql HTTP/1.1\r\nHost: a\r\n\r\n`;
    const { statuses, isClosed } = await speak({ port: secure.port, text, withinMs: 2_000 });
    expect({ statuses, isClosed }).toEqual({ statuses: [], isClosed: true });
  });

  test('speaks HTTP/2 with who asks for it, without headers of connections', async () => {
    const session = await open();
    expect(session.alpnProtocol).toBe('h2');
    const { status, headers, text } = await answerOf(send(session, { query }));
    expect([status, JSON.parse(text)]).toEqual([200, answer]);
    expect(Object.keys(headers).filter(name => headersOfConnections.includes(name))).toEqual([]);
  });

  test('answers a hundred requests over one connection of HTTP/2 at once', async () => {
    const session = await open();
    const streams = Array.from({ length: 100 }, () => answerOf(send(session, { query })));
    for (const { text } of await Promise.all(streams)) expect(JSON.parse(text)).toEqual(answer);
  });

  test.each([
    [401, { authorization: 'Bearer none' }],
    [415, { 'content-type': 'text/plain' }],
    [400, { ':authority': '999.999.999.999' }],
    [404, { ':path': '/none' }],
  ])('refuses with %i over HTTP/2 what has %j', async (status, headers) => {
    expect((await answerOf(send(await open(), { query }, headers))).status).toBe(status);
  });

  const subscription = { query: 'subscription { ticked }' };

  test.each([
    ['text/event-stream', 'data: {"data":{"ticked":2}}', '\n\n:\n\n'],
    ['multipart/mixed;subscriptionSpec="1.0"', '{"payload":{"data":{"ticked":2}}}', '\r\n\r\n{}\r\n'],
  ])(
    'streams over HTTP/2 as %s, with heartbeats, until the client goes',
    async (accept, event, heartbeat) => {
      const session = await open();
      const stream = send(session, subscription, { accept });
      const headers = await headersOf(stream);
      expect(headers[':status']).toBe(200);
      expect(headers['content-type']).toContain(accept.split(';', 1)[0]);
      expect(Object.keys(headers).filter(name => headersOfConnections.includes(name))).toEqual([]);
      await readUntil(stream, event, heartbeat);
      expect(await liveOperations()).toBe(1);
      stream.close();
      await expect.poll(liveOperations, { timeout: 5_000 }).toBe(0);
      expect(await metricOf(front.gateway, 'gateway_live_connections')).toBe(0);
      // The connection is good for more.
      expect(JSON.parse((await answerOf(send(session, { query }))).text)).toEqual(answer);
    },
  );

  test('ends a stream over HTTP/2 that is not read, and answers others over the same connection', async () => {
    const session = await open();
    const stream = send(session, { query: 'subscription { filled }' }, { accept: 'text/event-stream' });
    expect((await headersOf(stream))[':status']).toBe(200);
    const closed = once(stream, 'close');
    const slowClients = () => metricOf(front.gateway, 'gateway_live_slow_clients_total');
    await expect.poll(slowClients, { timeout: 10_000 }).toBe(1);
    expect(JSON.parse((await answerOf(send(session, { query }))).text)).toEqual(answer);
    await expect.poll(() => metricOf(front.gateway, 'gateway_live_connections'), { timeout: 10_000 }).toBe(0);
    // The client finds out when it has read what it has.
    stream.resume();
    await closed;
  });

  test('sends deferred parts over HTTP/2', async () => {
    const deferring = { query: '{ person { name ... @defer { age } } }' };
    const { headers, text } = await answerOf(send(await open(), deferring, { accept: 'multipart/mixed' }));
    expect(headers['content-type']).toContain('multipart/mixed');
    expect(text).toMatch(/"name":"Ada"[\s\S]*---[\s\S]*"age":36[\s\S]*-----\r\n$/);
  });

  test('streams as Server-Sent Events over HTTP/1.1', async () => {
    const dispatcher = dispatcherOf(false);
    const client = createSseClient({
      url: secure.url,
      fetchFn: (url: string, init: object) => fetch(url, { ...init, dispatcher }),
      retryAttempts: 0,
    });
    onTestFinished(() => client.dispose());
    const results = client.iterate(subscription);
    expect((await results.next()).value).toEqual({ data: { ticked: 1 } });
    expect((await results.next()).value).toEqual({ data: { ticked: 2 } });
    await results.return?.();
    await expect.poll(liveOperations, { timeout: 5_000 }).toBe(0);
  });

  test('serves WebSockets', async () => {
    class Trusting extends WebSocket {
      constructor(url: string, protocol: string) {
        super(url, protocol, { ca: secure.ca });
      }
    }
    const client = createClient({
      url: secure.url.replace('https', 'wss'),
      webSocketImpl: Trusting,
      retryAttempts: 0,
    });
    onTestFinished(() => client.dispose());
    expect((await client.iterate({ query }).next()).value).toEqual(answer);
    const results = client.iterate(subscription);
    expect((await results.next()).value).toEqual({ data: { ticked: 1 } });
    await results.return?.();
    await expect.poll(liveOperations, { timeout: 5_000 }).toBe(0);
  });

  test('survives requests over HTTP/2 that are taken back at once, and counts none of them as under way', async () => {
    const hostile = await openSession(secure.url, { ca: secure.ca });
    hostile.on('error', () => {});
    for (let count = 0; count < 2_000 && !hostile.destroyed; count += 1) {
      send(hostile, { query }).close();
      if (count % 100 === 99) await new Promise(resolve => setImmediate(resolve));
    }
    const startedAt = performance.now();
    expect(JSON.parse((await answerOf(send(await open(), { query }))).text)).toEqual(answer);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    await expect
      .poll(() => metricOf(front.gateway, 'gateway_requests_under_way'), { timeout: 5_000 })
      .toBe(0);
  });

  test('takes no headers over HTTP/2 that are larger than those over HTTP/1.1', async () => {
    const hostile = await openSession(secure.url, { ca: secure.ca, maxSendHeaderBlockLength: 1_000_000 });
    hostile.on('error', () => {});
    const stream = send(hostile, { query }, { 'x-large': 'a'.repeat(100_000) });
    const status = new Promise(resolve => {
      stream.once('response', headers => resolve(headers[':status']));
      stream.once('close', () => resolve('closed'));
    });
    expect([431, 'closed']).toContain(await status);
    expect(JSON.parse((await answerOf(send(await open(), { query }))).text)).toEqual(answer);
  });

  test('ends a request over HTTP/2 whose body does not come, and answers others meanwhile', async () => {
    const session = await open();
    const slow = send(session, '{"query":');
    const startedAt = performance.now();
    const answering = answerOf(slow);
    expect(JSON.parse((await answerOf(send(session, { query }))).text)).toEqual(answer);
    expect((await answering).status).toBe(408);
    const durationMs = performance.now() - startedAt;
    expect(durationMs).toBeGreaterThan(1_900);
    expect(durationMs).toBeLessThan(4_000);
    expect(await metricOf(front.gateway, 'gateway_requests_under_way')).toBe(0);
  });

  test.each([
    ['no handshake begins', () => connectTcp(secure.port, '127.0.0.1')],
    [
      'nothing is asked over HTTP/1.1',
      () => connectTls({ port: secure.port, host: '127.0.0.1', ca: secure.ca }),
    ],
    [
      'nothing is asked over HTTP/2',
      () => connectTls({ port: secure.port, host: '127.0.0.1', ca: secure.ca, ALPNProtocols: ['h2'] }),
    ],
  ])('closes a connection on which %s', async (_what, connect) => {
    const startedAt = performance.now();
    const socket = connect().resume();
    socket.on('error', () => {});
    await once(socket, 'close');
    const durationMs = performance.now() - startedAt;
    expect(durationMs).toBeGreaterThan(900);
    expect(durationMs).toBeLessThan(4_000);
  });

  test('is registered with its secure port', async () => {
    const response = await fetch(`${front.registryUrl}/apps/GATEWAY`, {
      headers: { accept: 'application/json' },
    });
    const { application } = (await response.json()) as {
      application: { instance: Record<string, unknown>[] };
    };
    expect(application.instance).toMatchObject([
      { port: { '@enabled': 'false' }, securePort: { $: secure.port, '@enabled': 'true' } },
    ]);
  });
});
