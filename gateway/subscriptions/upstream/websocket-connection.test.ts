import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { GraphQLError } from 'graphql';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { silentLog } from '../../../platform/log.ts';
import { lookupAnyHost } from '../../../platform/registry/instance-connections.ts';
import { Endpoint } from '../../routing/endpoint.ts';
import { describeInstance } from '../../testing/instances.ts';
import type { SubgraphEvent } from '../subscription-plan.ts';
import type { UpstreamSink } from './sink.ts';
import { UpstreamConnection } from './websocket-connection.ts';
import { webSocketProtocols } from './websocket-protocols.ts';

const query = 'subscription { ticked }';

function createSink() {
  return {
    opened: vi.fn<() => void>(),
    event: vi.fn<(event: SubgraphEvent) => void>(),
    start: vi.fn<(cursor: string) => void>(),
    completed: vi.fn<() => void>(),
    refused: vi.fn<(error: GraphQLError) => void>(),
    lost: vi.fn<UpstreamSink['lost']>(),
  };
}

describe('a connection to an instance', () => {
  const servers: WebSocketServer[] = [];
  beforeEach(
    () => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] }),
  );
  afterEach(() => {
    vi.useRealTimers();
    for (const server of servers.splice(0)) {
      for (const client of server.clients) client.terminate();
      server.close();
    }
  });

  /** An instance that does with a connection what the test wants, and the connection to it with one subscription. */
  async function connect({ acknowledges = true } = {}) {
    const server = new WebSocketServer({
      port: 0,
      host: '127.0.0.1',
      handleProtocols: ([first]) => first ?? false,
    });
    servers.push(server);
    await once(server, 'listening');
    const received: unknown[] = [];
    const accepted = once(server, 'connection') as Promise<[WebSocket]>;
    server.on('connection', socket =>
      socket.on('message', data => {
        const message = JSON.parse((data as Buffer).toString()) as { type: string };
        received.push(message);
        if (acknowledges && message.type === 'connection_init') socket.send('{"type":"connection_ack"}');
      }),
    );
    const onClosed = vi.fn<() => void>();
    const { port } = server.address() as AddressInfo;
    const endpoint = new Endpoint('prices', describeInstance({ port }));
    const connection = new UpstreamConnection({
      endpoint,
      protocols: webSocketProtocols,
      lookup: lookupAnyHost,
      onClosed,
      log: silentLog,
    });
    const sink = createSink();
    const subscription = connection.add(sink);
    void connection.settled.then(() => connection.start(subscription, { query }));
    const [socket] = await accepted;
    return { connection, subscription, sink, socket, received, onClosed };
  }

  /** Waits for something that the other side of the socket does. */
  const until = (look: () => void) => vi.waitFor(look, { timeout: 1_000, interval: 5 });

  test('starts a subscription once it is taken, and tells the instance when it is closed', async () => {
    const { subscription, sink, socket, received, connection } = await connect();
    await until(() =>
      expect(received).toEqual([
        { type: 'connection_init' },
        { type: 'subscribe', id: '1', payload: { query } },
      ]),
    );
    expect(sink.opened).toHaveBeenCalledOnce();
    socket.send('{"type":"next","id":"1","payload":{"extensions":{"cursor":"7"}}}');
    socket.send('{"type":"next","id":"1","payload":{"data":{"ticked":1}}}');
    await until(() => expect(sink.event).toHaveBeenCalledWith({ data: { ticked: 1 } }));
    expect(sink.start).toHaveBeenCalledWith('7');
    subscription.close();
    await until(() => expect(received.at(-1)).toEqual({ type: 'complete', id: '1' }));
    expect(connection.size).toBe(0);
  });

  test('tells apart what the instance ends and what it refuses', async () => {
    const { connection, sink, socket, received } = await connect();
    await until(() => expect(received).toHaveLength(2));
    const other = createSink();
    connection.start(connection.add(other), { query });
    socket.send('{"type":"complete","id":"1"}');
    socket.send('{"type":"error","id":"2","payload":[{"message":"no","extensions":{"code":"FORBIDDEN"}}]}');
    await until(() => expect(other.refused).toHaveBeenCalledOnce());
    expect(other.refused.mock.calls[0]?.[0].extensions).toEqual({ code: 'FORBIDDEN', serviceName: 'prices' });
    expect(sink.completed).toHaveBeenCalledOnce();
    socket.terminate();
    await until(() => expect(connection.isUsable).toBe(false));
    expect([sink.lost, other.lost].flatMap(({ mock }) => mock.calls)).toEqual([]);
  });

  test('is given up when it is not acknowledged', async () => {
    const { sink, received, onClosed } = await connect({ acknowledges: false });
    await until(() => expect(received).toHaveLength(1));
    await vi.advanceTimersByTimeAsync(2_000);
    await until(() => expect(onClosed).toHaveBeenCalledOnce());
    expect(sink.lost).toHaveBeenCalledWith({
      begun: false,
      cause: new Error("The subgraph 'prices' did not acknowledge a connection"),
    });
  });

  test('is given up when a ping is not answered until the next, and not before', async () => {
    const { sink, socket, received, connection } = await connect();
    await until(() => expect(received).toHaveLength(2));
    await vi.advanceTimersByTimeAsync(5_000);
    await until(() => expect(received.at(-1)).toEqual({ type: 'ping' }));
    socket.send('{"type":"pong"}');
    socket.send('{"type":"ping"}');
    await until(() => expect(received.at(-1)).toEqual({ type: 'pong' }));
    await vi.advanceTimersByTimeAsync(5_000);
    expect(connection.isUsable).toBe(true);
    await vi.advanceTimersByTimeAsync(5_000);
    await until(() =>
      expect(sink.lost).toHaveBeenCalledWith({
        begun: true,
        cause: new Error("The subgraph 'prices' no longer answers"),
      }),
    );
  });

  test.each(['nonsense', '{"type":"connection_init"}'])('is given up when it brings %s', async text => {
    const { sink, socket, received } = await connect();
    await until(() => expect(received).toHaveLength(2));
    socket.send(text);
    await until(() => expect(sink.lost).toHaveBeenCalledOnce());
  });

  test('is closed ten seconds after its last subscription', async () => {
    const { connection, subscription, socket, received, onClosed } = await connect();
    await until(() => expect(received).toHaveLength(2));
    subscription.close();
    await vi.advanceTimersByTimeAsync(5_000);
    await until(() => expect(received.at(-1)).toEqual({ type: 'ping' }));
    socket.send('{"type":"pong"}');
    socket.send('{"type":"ping"}');
    await until(() => expect(received.at(-1)).toEqual({ type: 'pong' }));
    await vi.advanceTimersByTimeAsync(4_000);
    expect(connection.isUsable).toBe(true);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(connection.isUsable).toBe(false);
    await until(() => expect(onClosed).toHaveBeenCalledOnce());
  });
});
