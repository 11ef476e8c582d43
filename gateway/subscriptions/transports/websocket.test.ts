import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Registry } from 'prom-client';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { PorticoError } from '../../../platform/errors.ts';
import { createLogger, type Logger, silentLog } from '../../../platform/log.ts';
import { byTokenAlone } from '../../authorization/authorization.ts';
import type { Authenticator } from '../../security/authenticate.ts';
import { createCredentials } from '../../security/credentials.ts';
import { createLimiters } from '../../security/limiters.ts';
import { anonymous, type OperationCaller } from '../../security/operation-caller.ts';
import { countRateLimited, createRateLimit } from '../../security/rate-limit.ts';
import { startGraph, startLiveOperations } from '../testing.ts';
import { createConnections } from './connections.ts';
import { serveWebSockets } from './websocket.ts';

type Settings = Partial<Parameters<typeof serveWebSockets>[0]['config']>;

interface TestServer {
  /** @default true */
  readonly hasGraph?: boolean;
  /** @default 10 */
  readonly maxConnections?: number;
  /** @default 0 */
  readonly maxConnectionsPerAddress?: number;
  readonly authenticate?: Authenticator['authenticate'];
  readonly settings?: Settings;
  /** @default silentLog */
  readonly log?: Logger;
}

/** A server of WebSockets whose subgraph is in the hands of the test. */
async function start({
  hasGraph = true,
  maxConnections = 10,
  maxConnectionsPerAddress = 0,
  authenticate = () => Promise.resolve(anonymous),
  settings = {},
  log = silentLog,
}: TestServer = {}) {
  const live = startLiveOperations({ graph: hasGraph ? await startGraph() : undefined, bufferEvents: 2 });
  const { operations, metrics } = live;
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const webSockets = serveWebSockets({
    server,
    operations,
    metrics,
    connections: createConnections({ maxConnections, maxConnectionsPerAddress, drainMs: 0, metrics }),
    authenticator: { authenticate },
    authorization: byTokenAlone,
    credentials: createCredentials({ CORS_ORIGINS: [], HEADERS_TO_SUBGRAPHS: [] }),
    rateLimit: createRateLimit(
      {
        RATE_LIMIT_CALLER_PER_MINUTE: 0,
        RATE_LIMIT_ADDRESS_PER_MINUTE: 0,
        GATEWAY_TRUSTED_PROXIES: ['127.0.0.1'],
      },
      createLimiters(undefined),
      countRateLimited(new Registry()),
    ),
    persisted: undefined,
    formatError: error => error,
    config: {
      LIVE_MAX_OPERATIONS_PER_CONNECTION: 2,
      LIVE_SLOW_CLIENT: 'disconnect',
      LIVE_KEEP_ALIVE_MS: 10_000,
      LIVE_MAX_MESSAGES_PER_SECOND: 500,
      LIVE_MAX_MESSAGE_BYTES: 262_144,
      LIVE_CONNECTION_INIT_TIMEOUT_MS: 3_000,
      HEADERS_TO_SUBGRAPHS: [],
      HEADERS_TO_CLIENTS: [],
      ...settings,
    },
    log,
  });
  const sockets: WebSocket[] = [];
  onTestFinished(async () => {
    for (const socket of sockets) socket.terminate();
    await webSockets.close();
    server.close();
  });

  /** Opens a socket, with what it received and how it was closed. */
  function open(path = '/graphql', headers: Record<string, string> = {}) {
    const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
    const socket = new WebSocket(url, 'graphql-transport-ws', { headers });
    sockets.push(socket);
    const received: { type: string; id?: string; payload?: unknown }[] = [];
    socket.on('message', data => void received.push(JSON.parse((data as Buffer).toString())));
    const closed = new Promise<{ code: number; reason: string }>(resolve => {
      socket.once('close', (code, reason) => resolve({ code, reason: String(reason) }));
    });
    return { socket, received, closed, send: (message: object) => socket.send(JSON.stringify(message)) };
  }

  /** Opens a socket that has been acknowledged. */
  async function connect(payload: Record<string, unknown> = {}) {
    const client = open();
    await once(client.socket, 'open');
    client.send({ type: 'connection_init', payload });
    await vi.waitFor(() => expect(client.received).toMatchObject([{ type: 'connection_ack' }]));
    return client;
  }

  return { ...live, open, connect };
}

const subscribe = (id: string, query = 'subscription { priceChanged(sku: "MUG") { cursor amount } }') => ({
  id,
  type: 'subscribe',
  payload: { query },
});
/** An event of the subgraph; it has its cursor for the gateway, too. */
const change = (amount: number) => ({
  data: { priceChanged: { cursor: String(amount), amount, portico_cursor: String(amount) } },
});
const shown = (amount: number) => ({ data: { priceChanged: { cursor: String(amount), amount } } });

describe('a connection', () => {
  test.each([
    [
      'a message that only servers send',
      '{"type":"next","id":"1","payload":{"data":null}}',
      /^Unexpected message/,
    ],
    [
      'a ping that fills the stack of whoever answers it',
      `{"type":"ping","payload":${'{"a":'.repeat(20_000)}1${'}'.repeat(20_001)}`,
      /^More than 1000 values/,
    ],
  ])('is closed for %s, of which nobody is told', async (_what, text, reason) => {
    const lines: string[] = [];
    const { connect } = await start({
      log: createLogger('test', { destination: { write: line => void lines.push(line) } }),
    });
    const client = await connect();
    client.socket.send(text);
    expect(await client.closed).toEqual({ code: 4400, reason: expect.stringMatching(reason) });
    expect(lines).toEqual([]);
  });

  test('is told to come again while there is no graph, or when there are too many', async () => {
    const { open } = await start({ hasGraph: false });
    expect((await open().closed).code).toBe(1013);
    const full = await start({ maxConnections: 1 });
    const first = await full.connect();
    expect((await full.open().closed).code).toBe(1013);
    const disconnected = vi.spyOn(full.metrics, 'disconnected');
    first.socket.close();
    await vi.waitFor(() => expect(disconnected).toHaveBeenCalled());
    await full.connect();
  });

  test('is one too many when its address has as many as it may, and those of others are taken', async () => {
    const { open, metrics } = await start({ maxConnectionsPerAddress: 1 });
    const from = (address: string) => open('/graphql', { 'x-forwarded-for': address });
    const first = from('192.0.2.1');
    await once(first.socket, 'open');
    expect((await from('192.0.2.1').closed).code).toBe(1013);
    const other = from('192.0.2.2');
    await once(other.socket, 'open');
    const disconnected = vi.spyOn(metrics, 'disconnected');
    first.socket.close();
    await vi.waitFor(() => expect(disconnected).toHaveBeenCalled());
    const next = from('192.0.2.1');
    await once(next.socket, 'open');
    next.send({ type: 'connection_init' });
    await vi.waitFor(() => expect(next.received).toMatchObject([{ type: 'connection_ack' }]));
    expect(other.socket.readyState).toBe(other.socket.OPEN);
  });

  test('is closed by more messages in a second than it may send', async () => {
    const { connect } = await start({ settings: { LIVE_MAX_MESSAGES_PER_SECOND: 3 } });
    const { send, closed, received } = await connect();
    for (let count = 0; count < 10; count++) send({ type: 'ping' });
    expect(await closed).toEqual({ code: 1008, reason: 'More than 3 messages came in a second' });
    expect(received.filter(({ type }) => type === 'pong').length).toBeLessThanOrEqual(3);
  });

  test('that does not say connection_init is closed', async () => {
    const { open } = await start({ settings: { LIVE_CONNECTION_INIT_TIMEOUT_MS: 50 } });
    expect((await open().closed).code).toBe(4408);
  });

  test('to another path is refused', async () => {
    const { open } = await start();
    const [error] = await once(open('/other').socket, 'error');
    expect((error as Error).message).toContain('404');
  });

  test.each([
    ['a token that is not accepted', 'UNAUTHENTICATED', 4403],
    ["a token while the issuer's keys can't be had", 'SERVICE_UNAVAILABLE', 1013],
  ] as const)('with %s is closed', async (_case, kind, code) => {
    const { open } = await start({
      authenticate: async authorization => {
        throw new PorticoError(kind, `${authorization} ${'ä'.repeat(100)}`);
      },
    });
    const { socket, send, closed } = open();
    await once(socket, 'open');
    send({ type: 'connection_init', payload: { headers: { AUTHORIZATION: 'Bearer x' } } });
    // A reason has at most 123 bytes, and no half of a character.
    expect(await closed).toEqual({ code, reason: `Bearer x ${'ä'.repeat(57)}` });
  });

  test('is closed when its token expires', async () => {
    let expiresAtMs = Number.POSITIVE_INFINITY;
    const { connect } = await start({
      authenticate: async () => {
        expiresAtMs = Date.now() + 100;
        return { ...anonymous, expiresAtMs };
      },
    });
    const { closed } = await connect();
    expect(await closed).toMatchObject({ code: 4403, reason: expect.stringContaining('expired') });
    expect(Date.now()).toBeGreaterThanOrEqual(expiresAtMs);
  });

  test('is closed when its token is revoked', async () => {
    let revoke = () => {};
    const { connect } = await start({
      authenticate: async () => ({
        ...anonymous,
        onDenied(callback) {
          revoke = callback;
          return () => {};
        },
      }),
    });
    const { closed } = await connect();
    revoke();
    expect(await closed).toMatchObject({ code: 4403, reason: expect.stringContaining('revoked') });
  });

  test('goes on when a ping brings a new token of the same caller, and is closed by one of another', async () => {
    let expiresAtMs = Number.POSITIVE_INFINITY;
    const callerOf: Record<string, () => OperationCaller> = {
      'Bearer old': () => {
        expiresAtMs = Date.now() + 1_500;
        return { ...anonymous, key: 'ada', expiresAtMs };
      },
      'Bearer new': () => ({ ...anonymous, key: 'ada', expiresAtMs: expiresAtMs + 60_000 }),
      'Bearer other': () => ({ ...anonymous, key: 'bob' }),
    };
    const { connect } = await start({
      authenticate: async (authorization = '') => callerOf[authorization]?.() ?? anonymous,
    });
    const { received, send, closed, socket } = await connect({ authorization: 'Bearer old' });
    send({ type: 'ping', payload: { authorization: 'Bearer new' } });
    await vi.waitFor(() => expect(received.at(-1)).toMatchObject({ type: 'pong' }));
    await vi.waitFor(() => expect(Date.now()).toBeGreaterThan(expiresAtMs + 50), 5_000);
    expect(socket.readyState).toBe(socket.OPEN);
    send({ type: 'ping' });
    await vi.waitFor(() => expect(received.filter(({ type }) => type === 'pong')).toHaveLength(2));
    send({ type: 'ping', payload: { authorization: 'Bearer other' } });
    expect(await closed).toMatchObject({ code: 4403, reason: expect.stringContaining('another caller') });
  });

  test('that answers no ping is cut', async () => {
    const { open, metrics } = await start({ settings: { LIVE_KEEP_ALIVE_MS: 20 } });
    const disconnected = vi.spyOn(metrics, 'disconnected');
    const { socket, closed } = open();
    await once(socket, 'open');
    // `ws` answers pings by itself, but not while it reads nothing.
    socket.pause();
    await vi.waitFor(() => expect(disconnected).toHaveBeenCalledWith('websocket'));
    socket.resume();
    expect((await closed).code).toBe(1006);
  });
});

describe('an operation', () => {
  test('gets the events of the subgraph, and ends there when the client completes it or goes', async () => {
    const { connect, openings } = await start();
    const { received, send, socket } = await connect();
    send(subscribe('1'));
    await vi.waitFor(() => expect(openings).toHaveLength(1));
    openings[0]?.sink.opened();
    openings[0]?.sink.event(change(5));
    await vi.waitFor(() => expect(received).toContainEqual({ id: '1', type: 'next', payload: shown(5) }));
    send({ id: '1', type: 'complete' });
    await vi.waitFor(() => expect(openings[0]?.isClosed).toBe(true));
    send(subscribe('2'));
    await vi.waitFor(() => expect(openings).toHaveLength(2));
    socket.terminate();
    await vi.waitFor(() => expect(openings[1]?.isClosed).toBe(true));
  });

  test('that is one too many, or not valid, is refused, and leaves the others', async () => {
    const { connect, openings } = await start();
    const { received, send } = await connect();
    for (const sku of ['A', 'B', 'C'])
      send(subscribe(sku, `subscription { priceChanged(sku: "${sku}") { cursor } }`));
    await vi.waitFor(() =>
      expect(received.at(-1)).toMatchObject({
        id: 'C',
        type: 'error',
        payload: [{ extensions: { code: 'TOO_MANY_OPERATIONS' } }],
      }),
    );
    expect(openings).toHaveLength(2);
    send({ id: 'A', type: 'complete' });
    send(subscribe('D', 'subscription { nothing }'));
    await vi.waitFor(() => expect(received.at(-1)).toMatchObject({ id: 'D', type: 'error' }));
    expect(openings[1]?.isClosed).toBe(false);
  });

  test('whose client reads too slowly ends with its connection, which names it and its cursor', async () => {
    const { connect, openings } = await start();
    const { received, send, closed } = await connect();
    send(subscribe('1'));
    await vi.waitFor(() => expect(openings).toHaveLength(1));
    openings[0]?.sink.opened();
    openings[0]?.sink.event(change(1));
    await vi.waitFor(() => expect(received).toHaveLength(2));
    // Two may wait; what is sent goes when all of these have come.
    for (let amount = 2; amount <= 10; amount++) openings[0]?.sink.event(change(amount));
    const { code, reason } = await closed;
    expect(code).toBe(4290);
    const { cursor, ...rest } = JSON.parse(reason) as Record<string, string>;
    expect(rest).toEqual({ code: 'SLOW_CLIENT', id: '1' });
    expect(received.filter(({ type }) => type === 'next').at(-1)?.payload).toEqual(shown(Number(cursor)));
    expect(openings[0]?.isClosed).toBe(true);
  });
});
