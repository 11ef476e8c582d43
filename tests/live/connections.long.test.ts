import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { createGraphClient } from '../../dev/graph-client.ts';
import { useFront } from '../helpers/front.ts';
import { metricOf } from '../helpers/metrics.ts';
import { createFeed, servePrices, waitForSubgraphs } from './feed.ts';

const notes = 'subscription ($after: String) { priceChanged(after: $after) { cursor note } }';
const kilobyte = 1024;

interface Noted {
  readonly priceChanged: { readonly cursor: string; readonly note: string };
}

/** Message of the gateway. */
interface Message {
  readonly type: string;
  readonly payload?: { readonly data?: Partial<Noted> };
}

/** A client that can stop reading, as a phone in a tunnel does. */
async function openRawClient(graphUrl: string, token?: string) {
  const socket = new WebSocket(graphUrl.replace('http', 'ws'), 'graphql-transport-ws');
  const cursors: string[] = [];
  const messages: Message[] = [];
  socket.on('message', data => {
    const message = JSON.parse((data as Buffer).toString()) as Message;
    messages.push(message);
    const cursor = message.payload?.data?.priceChanged?.cursor;
    if (cursor !== undefined) cursors.push(cursor);
  });
  const closed = once(socket, 'close').then(([code, reason]) => ({
    code: code as number,
    reason: String(reason),
  }));
  await once(socket, 'open');
  socket.send(
    JSON.stringify({ type: 'connection_init', payload: token ? { authorization: `Bearer ${token}` } : {} }),
  );
  await Promise.race([once(socket, 'message'), closed.then(why => Promise.reject(new Error(why.reason)))]);
  return {
    socket,
    cursors,
    messages,
    closed,
    subscribe: (id: string) =>
      socket.send(JSON.stringify({ id, type: 'subscribe', payload: { query: notes } })),
  };
}

describe('a client that reads too slowly', () => {
  const bufferEvents = 10;
  const front = useFront({
    env: {
      LIVE_BUFFER_EVENTS: String(bufferEvents),
      // Who does not read answers no ping either, and is to be found out by what waits for it.
      LIVE_KEEP_ALIVE_MS: '60000',
      // With more, V8 leaves garbage where it is, which is not what is measured.
      NODE_OPTIONS: '--max-old-space-size=512',
    },
  });
  const feed = createFeed();

  beforeAll(async () => {
    await servePrices(front, feed, 'one');
    await waitForSubgraphs(front, 1);
  });

  /** Publishes large events until the gateway has noticed that so many clients do not read them. */
  async function publishUntilTooSlow({
    clients = 1,
    eventBytes = 200 * kilobyte,
    meanwhile = async () => {},
  } = {}): Promise<void> {
    const slowClients = () => metricOf(front.gateway, 'gateway_live_slow_clients_total');
    const enough = (await slowClients()) + clients;
    const note = 'n'.repeat(eventBytes);
    for (let count = 0; (await slowClients()) < enough; count++) {
      if (count > 500) throw new Error('The gateway expected to notice a client that reads nothing');
      feed.change(count, { note });
      await meanwhile();
    }
  }

  test('is disconnected with the cursor to go on after, and then gets the rest, once', async () => {
    const from = Number(feed.cursor);
    const slow = await openRawClient(front.graphUrl);
    slow.subscribe('1');
    await expect.poll(() => feed.readers).toBe(1);
    slow.socket.pause();
    await publishUntilTooSlow();
    expect(feed.readers).toBe(0);
    slow.socket.resume();
    const { code, reason } = await slow.closed;
    expect(code).toBe(4290);
    const { code: why, id, cursor } = JSON.parse(reason) as { code: string; id: string; cursor: string };
    expect({ why, id }).toEqual({ why: 'SLOW_CLIENT', id: '1' });
    expect(slow.cursors.at(-1)).toBe(cursor);

    const client = createGraphClient(front.graphUrl);
    const results = client.subscribe<Noted>(notes, { after: cursor });
    const last = feed.cursor;
    const rest: string[] = [];
    while (rest.at(-1) !== last) rest.push((await results.next()).value.data.priceChanged.cursor);
    await client.close();
    const all = [...slow.cursors, ...rest].map(Number);
    expect(all).toEqual(Array.from({ length: Number(last) - from }, (_, index) => from + 1 + index));
  });

  test.each([
    { transport: 'Server-Sent Events', accept: 'text/event-stream', ending: 'event: complete\ndata: \n\n' },
    {
      transport: 'multipart HTTP',
      accept: 'multipart/mixed;subscriptionSpec=1.0',
      ending: '\r\n--graphql--\r\n',
    },
  ])('is told so with its cursor over $transport too, and its response ends', async ({ accept, ending }) => {
    const asking = request(front.graphUrl, {
      method: 'POST',
      headers: { accept, 'content-type': 'application/json' },
    });
    asking.end(JSON.stringify({ query: notes }));
    const [response] = (await once(asking, 'response')) as [IncomingMessage];
    await expect.poll(() => feed.readers).toBe(1);
    const from = Number(feed.cursor);
    await publishUntilTooSlow();
    expect(feed.readers).toBe(0);
    let text = '';
    for await (const chunk of response) text += String(chunk);

    expect(text.endsWith(ending)).toBe(true);
    const cursors = [...text.matchAll(/"priceChanged":\{"cursor":"(\d+)"/g)].map(([, cursor]) =>
      Number(cursor),
    );
    expect(cursors).toEqual(cursors.map((_, index) => from + 1 + index));
    const [, errors = ''] = /"errors":(\[\{.*\}\])\}/.exec(text) ?? [];
    expect(JSON.parse(errors)).toMatchObject([
      { extensions: { code: 'SLOW_CLIENT', cursor: String(cursors.at(-1)) } },
    ]);
  });

  test('takes no more memory than its buffer, when there are a thousand of them', async () => {
    const slow = await Promise.all(Array.from({ length: 1_000 }, () => openRawClient(front.graphUrl)));
    for (const { subscribe } of slow) subscribe('1');
    const operations = () => metricOf(front.gateway, 'gateway_live_operations');
    await expect.poll(operations, { timeout: 10_000 }).toBe(slow.length);
    for (const { socket } of slow) socket.pause();
    const residentBytes = () => metricOf(front.gateway, 'process_resident_memory_bytes');
    const before = await residentBytes();
    const eventBytes = 64 * kilobyte;
    await publishUntilTooSlow({
      clients: slow.length,
      eventBytes,
      async meanwhile() {
        const eachBytes = ((await residentBytes()) - before) / slow.length;
        expect(eachBytes).toBeLessThan(bufferEvents * eventBytes);
      },
    });
    expect(feed.readers).toBe(0);
    for (const { socket } of slow) socket.terminate();
    await expect.poll(() => metricOf(front.gateway, 'gateway_live_connections'), { timeout: 5_000 }).toBe(0);
  });

  test('keeps its other operations where only the slow one is to end', async () => {
    await front.gateway.stop();
    await front.startGateway({ LIVE_SLOW_CLIENT: 'end-operation' });
    await waitForSubgraphs(front, 1);
    const slow = await openRawClient(front.graphUrl);
    slow.subscribe('1');
    await expect.poll(() => feed.readers).toBe(1);
    slow.socket.pause();
    await publishUntilTooSlow();
    slow.socket.resume();
    const error = () => slow.messages.find(({ type }) => type === 'error');
    await expect.poll(error, { timeout: 5_000 }).toBeDefined();
    expect(error()).toMatchObject({
      id: '1',
      payload: [{ extensions: { code: 'SLOW_CLIENT', cursor: slow.cursors.at(-1) } }],
    });
    slow.subscribe('2');
    await expect.poll(() => feed.readers).toBe(1);
    const cursorsBefore = slow.cursors.length;
    feed.change(1, { note: 'short' });
    await expect.poll(() => slow.cursors.length).toBe(cursorsBefore + 1);
    slow.socket.close();
    await slow.closed;
  });
});

describe('a client that misbehaves', () => {
  const front = useFront({ env: { JWT_CLOCK_TOLERANCE_SECONDS: '0' } });
  const feed = createFeed();

  beforeAll(async () => {
    await servePrices(front, feed, 'one');
    await waitForSubgraphs(front, 1);
  });

  /** Sends what is no proper WebSocket, and waits until the connection is gone. */
  async function send(text: string, { reset = false } = {}): Promise<string> {
    const socket = connect(Number(new URL(front.graphUrl).port), '127.0.0.1');
    let answer = '';
    socket.on('data', chunk => {
      answer += chunk.toString('latin1');
      if (reset) socket.resetAndDestroy();
    });
    socket.on('error', () => {});
    const closed = once(socket, 'close');
    socket.write(text);
    await closed;
    return answer;
  }
  const upgrade = (path: string) =>
    [
      `GET ${path} HTTP/1.1`,
      'host: gateway',
      'connection: Upgrade',
      'upgrade: websocket',
      'sec-websocket-version: 13',
      'sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==',
      'sec-websocket-protocol: graphql-transport-ws',
      '\r\n',
    ].join('\r\n');

  test('harms nobody: a path that is none, a connection that is reset, a frame that is none', async () => {
    expect(await send(upgrade('/nothing'))).toMatch(/^HTTP\/1.1 404 /);
    await send(upgrade('/nothing'), { reset: true });
    await send(upgrade('/graphql'), { reset: true });
    expect(await send(`${upgrade('/graphql')}\xff\xff\xff\xff`)).toMatch(/^HTTP\/1.1 101 /);
    expect((await front.anyone.request<{ changes: number }>('{ changes }')).errors).toBeUndefined();
    await expect.poll(() => metricOf(front.gateway, 'gateway_live_connections')).toBe(0);
  });

  test('gets no more operations once its token has expired, even if it does not go', async () => {
    const token = await front.keys.mintToken('mallory', { lifetime: '3s' });
    const { socket, messages } = await openRawClient(front.graphUrl, token);
    const query = (id: number) =>
      socket.send(JSON.stringify({ id: String(id), type: 'subscribe', payload: { query: '{ changes }' } }));
    query(1);
    await expect.poll(() => messages.filter(({ type }) => type === 'next')).toHaveLength(1);
    socket.pause();
    await delay(3_000);
    query(2);
    query(3);
    socket.resume();
    await once(socket, 'close');
    expect(messages.filter(({ type }) => type === 'next')).toHaveLength(1);
  });

  test('is told when its document is endless', async () => {
    const { errors } = await front.anyone.request(`{ ${'changes '.repeat(10_001)} }`);
    expect(errors?.[0]?.message).toContain('10000 tokens');
    const client = createGraphClient(front.graphUrl);
    const refused = client.subscribe(`subscription { ${'ticked { number } '.repeat(4_000)} }`).next();
    await expect(refused).rejects.toMatchObject([{ message: expect.stringContaining('10000 tokens') }]);
    await client.close();
  });
});

describe('a gateway that shuts down', () => {
  const front = useFront({ env: { LIVE_DRAIN_MS: '2000' } });
  const feed = createFeed();

  beforeAll(async () => {
    await servePrices(front, feed, 'one');
    await waitForSubgraphs(front, 1);
  });

  test('sends its clients elsewhere one after another, and serves each until then', async () => {
    const clients = await Promise.all(Array.from({ length: 200 }, () => openRawClient(front.graphUrl)));
    for (const client of clients) client.subscribe('1');
    await expect.poll(() => metricOf(front.gateway, 'gateway_live_operations'), { timeout: 5_000 }).toBe(200);
    const stream = await fetch(front.graphUrl, {
      method: 'POST',
      headers: { accept: 'text/event-stream', 'content-type': 'application/json' },
      body: JSON.stringify({ query: notes }),
    });
    const streamed = stream.text();
    const leftAtMs: number[] = [];
    for (const { closed } of clients) void closed.then(() => leftAtMs.push(performance.now()));

    const stopping = front.gateway.stop();
    await expect.poll(() => leftAtMs.length, { timeout: 5_000, interval: 5 }).toBeGreaterThan(0);
    feed.change(1);
    const codes = await Promise.all(clients.map(async ({ closed }) => (await closed).code));
    await stopping;

    expect(new Set(codes)).toEqual(new Set([1001]));
    // 200 connections at 5 ms each: a second.
    expect(Math.max(...leftAtMs) - Math.min(...leftAtMs)).toBeGreaterThan(500);
    expect(clients.filter(({ cursors }) => cursors.length === 1).length).toBeGreaterThan(10);
    // A stream that ends without having been completed is opened again by its client.
    expect(await streamed).not.toContain('event: complete');
  });

  test('cuts those that do not go', async () => {
    await front.startGateway();
    await waitForSubgraphs(front, 1);
    const deaf = await openRawClient(front.graphUrl);
    deaf.socket.pause();
    const beganAtMs = performance.now();
    await front.gateway.stop();
    expect(performance.now() - beganAtMs).toBeLessThan(5_000);
    deaf.socket.resume();
    expect((await deaf.closed).code).toBeOneOf([1001, 1006]);
  });
});
