import { type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { handleProtocols } from 'graphql-ws';
import { type WebSocket, WebSocketServer } from 'ws';
import { PorticoError } from '../../../platform/errors.ts';
import { isDeeperThan } from '../../../platform/graphql/json-depth.ts';
import { type Closable, closeOnce } from '../../../platform/lifecycle.ts';
import type { Logger } from '../../../platform/log.ts';
import type { GatewayConfig } from '../../config.ts';
import { headerRulesOf, lastingHeaders, passHeaders } from '../../header-rules.ts';
import type { Credentials } from '../../security/credentials.ts';
import { anonymous } from '../../security/operation-caller.ts';
import type { LiveConnections } from './connections.ts';
import { type Connection, closeCodes, createProtocol, type ProtocolOptions } from './websocket-protocol.ts';

interface WebSocketOptions extends ProtocolOptions {
  readonly server: Server;
  readonly connections: LiveConnections;
  readonly credentials: Pick<Credentials, 'ofUpgrade'>;
  readonly config: ProtocolOptions['config'] &
    Pick<
      GatewayConfig,
      | 'LIVE_KEEP_ALIVE_MS'
      | 'LIVE_MAX_MESSAGES_PER_SECOND'
      | 'LIVE_MAX_MESSAGE_BYTES'
      | 'HEADERS_TO_SUBGRAPHS'
      | 'HEADERS_TO_CLIENTS'
    >;
  readonly log: Logger;
}

const messageWindowMs = 1_000;
/** Most lists and objects within each other in a message: what it brings may be written again, such as a ping's payload. */
const maxMessageDepth = 1_000;

/** Serves operations over graphql-ws (protocol `graphql-transport-ws`) at `/graphql`. */
export function serveWebSockets(options: WebSocketOptions): Closable {
  const { server, operations, connections, credentials, rateLimit, config, log } = options;
  const protocol = createProtocol(options);
  const rules = headerRulesOf(config);
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: config.LIVE_MAX_MESSAGE_BYTES,
    handleProtocols,
  });

  function onUpgrade(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    // From here on nobody else listens to what breaks; the 'close' that follows is what matters.
    stream.on('error', () => stream.destroy());
    if (request.url?.split('?', 1)[0] !== '/graphql') {
      refuseUpgrade(stream, 404, '');
      return;
    }
    let authorization: string | undefined;
    try {
      authorization = credentials.ofUpgrade(request);
    } catch (error) {
      if (!(error instanceof PorticoError)) throw error;
      refuseUpgrade(stream, error.httpStatus, JSON.stringify({ errors: [error.toGraphQLError().toJSON()] }));
      return;
    }
    // What follows lives as long as the socket does, and is not to keep the request.
    const headers = lastingHeaders(passHeaders(rules, request.headers).request);
    const address = rateLimit.addressOf(request);
    sockets.handleUpgrade(request, stream, head, socket => {
      socket.on('error', () => {});
      // Without a graph, clients are to connect again, as they do by themselves; the error of an operation would end it.
      const exit =
        operations.isReady &&
        connections.enter('websocket', {
          address,
          leave: () => socket.close(closeCodes.goingAway, 'This gateway is shutting down; connect again'),
          cut: () => socket.terminate(),
        });
      if (!exit)
        return socket.close(
          closeCodes.tryAgain,
          'This gateway has no graph yet, or as many connections as it takes; try again',
        );
      carry(socket, { headers, address, authorization }, exit);
    });
  }

  function carry(
    socket: WebSocket,
    opened: Pick<Connection, 'headers' | 'address' | 'authorization'>,
    exit: () => void,
  ): void {
    const keepAlive = keepSocketAlive(socket, config.LIVE_KEEP_ALIVE_MS);
    const connection: Connection = {
      ...opened,
      socket,
      caller: anonymous,
      results: new Set(),
      stopWatching: undefined,
    };
    const mayCome = limitMessages(config.LIVE_MAX_MESSAGES_PER_SECOND);
    const closed = protocol.opened(
      {
        protocol: socket.protocol,
        send: text =>
          new Promise((resolve, reject) => {
            if (socket.readyState !== socket.OPEN) resolve();
            else socket.send(text, error => (error ? reject(error) : resolve()));
          }),
        close: (code, reason) => socket.close(code, reason),
        onMessage: handle =>
          socket.on('message', data => {
            // A client that was told to go may not have heard of it yet.
            if (socket.readyState !== socket.OPEN) return;
            if (!mayCome()) {
              const reason = `More than ${config.LIVE_MAX_MESSAGES_PER_SECOND} messages came in a second`;
              return socket.close(closeCodes.policyViolation, reason);
            }
            receive((data as Buffer).toString(), { socket, handle, log });
          }),
      },
      connection,
    );
    // One listener for all that ends then: ten thousand sockets have it.
    socket.on('close', (code, reason) => {
      exit();
      clearInterval(keepAlive);
      for (const results of connection.results) void results.return();
      connection.stopWatching?.();
      void closed(code, String(reason));
    });
  }

  server.on('upgrade', onUpgrade);
  return {
    close: closeOnce(async () => {
      server.off('upgrade', onUpgrade);
      sockets.close();
    }),
  };
}

interface Receiver {
  readonly socket: WebSocket;
  readonly handle: (text: string) => Promise<void>;
  readonly log: Logger;
}

/** Hands a message over to the protocol, or closes the connection for one that can't be handled. */
function receive(text: string, { socket, handle, log }: Receiver): void {
  if (isDeeperThan(text, maxMessageDepth)) {
    socket.close(closeCodes.badRequest, `More than ${maxMessageDepth} values within each other`);
    return;
  }
  handle(text).catch((error: unknown) => {
    if (isServersMessage(error)) return socket.close(closeCodes.badRequest, error.message);
    log.error({ err: error }, 'A message of a client could not be handled');
    socket.close(closeCodes.internalError, 'Internal server error');
  });
}

/** True of what graphql-ws throws when a client sends a message of the protocol that only servers send. */
function isServersMessage(error: unknown): error is Error {
  return error instanceof Error && error.message.startsWith('Unexpected message of type ');
}

/** Answers a request for a WebSocket that does not get one. */
function refuseUpgrade(stream: Duplex, status: number, body: string): void {
  const type = body === '' ? '' : 'content-type: application/json\r\n';
  const length = `content-length: ${Buffer.byteLength(body)}`;
  stream.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\n${type}${length}\r\n\r\n${body}`,
  );
}

/** Ends a connection that does not answer from one ping to the next. */
function keepSocketAlive(socket: WebSocket, everyMs: number): NodeJS.Timeout {
  let isAlive = true;
  socket.on('pong', () => {
    isAlive = true;
  });
  return setInterval(() => {
    if (!isAlive) return socket.terminate();
    isAlive = false;
    socket.ping();
  }, everyMs);
}

/** Makes the limit of one connection's messages. @returns whether one more may come now */
function limitMessages(maxPerSecond: number): () => boolean {
  let windowBeganMs = performance.now();
  let count = 0;
  return () => {
    const nowMs = performance.now();
    if (nowMs - windowBeganMs >= messageWindowMs) {
      windowBeganMs = nowMs;
      count = 0;
    }
    count += 1;
    return count <= maxPerSecond;
  };
}
