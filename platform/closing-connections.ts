import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import type { FastifyInstance } from 'fastify';

/** Time that a connection gets for its first request when the server closes, in ms. */
const firstRequestMs = 200;

/** Lets answers over HTTP/1.1 say that their connections end (RFC 9112, section 9.6), as long as a condition holds. */
export function endConnectionsWhen(app: FastifyInstance, isEnding: () => boolean): void {
  app.addHook('onSend', (request, reply, payload, done) => {
    if (isEnding() && request.raw.httpVersionMajor === 1) void reply.header('connection', 'close');
    done(null, payload);
  });
}

/**
 * Closes the connections of a server that closes, which would wait for their clients otherwise: those whose last request is
 * answered only then, and those on which nothing was ever asked. Clients open some in advance, and
 * `closeIdleConnections` does not count them as idle until the time for a request's headers is over. One whose request is on
 * its way is answered. Over TLS, those whose handshake is not done are closed, too.
 */
export function closeConnectionsAtClose(app: FastifyInstance): void {
  const server: Server = app.server;
  const socketsByPeer = new Map<string, Socket>();
  const isTls = server instanceof TlsServer;
  let isClosing = false;

  function watch(socket: Socket): void {
    const peer = `${socket.remoteAddress}:${socket.remotePort}`;
    // A TLS socket takes the place of the one that it is over.
    socketsByPeer.set(peer, socket);
    socket.once('close', () => {
      if (socketsByPeer.get(peer) === socket) socketsByPeer.delete(peer);
    });
    // The server listens a moment longer than until it begins to close.
    if (isClosing) setTimeout(closeUnused, firstRequestMs);
  }

  function closeUnused(): void {
    // What came while the process was busy is read before.
    setImmediate(() => {
      for (const socket of socketsByPeer.values())
        if (socket.bytesRead === 0 || (isTls && !('encrypted' in socket))) socket.destroy();
    });
  }

  server.on('connection', watch);
  if (isTls) server.on('secureConnection', watch);
  app.addHook('preClose', async () => {
    isClosing = true;
    setTimeout(closeUnused, firstRequestMs);
  });
  endConnectionsWhen(app, () => isClosing);
  app.addHook('onResponse', (_request, _reply, done) => {
    // Its answer may have begun before, without saying that the connection ends.
    if (isClosing) setImmediate(() => server.closeIdleConnections());
    done();
  });
}
