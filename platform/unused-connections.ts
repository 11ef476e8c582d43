import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import type { FastifyInstance } from 'fastify';

/**
 * Closes, when the server does, connections on which nothing was ever asked. Clients open some in advance, and
 * `closeIdleConnections` does not count them as idle until the time for a request's headers is over. Over TLS, those whose
 * handshake is not done are closed, too.
 */
export function closeUnusedConnections(app: FastifyInstance): void {
  const server: Server = app.server;
  const socketsByPeer = new Map<string, Socket>();
  const isTls = server instanceof TlsServer;

  function watch(socket: Socket): void {
    const peer = `${socket.remoteAddress}:${socket.remotePort}`;
    // A TLS socket takes the place of the one that it is over.
    socketsByPeer.set(peer, socket);
    socket.once('close', () => {
      if (socketsByPeer.get(peer) === socket) socketsByPeer.delete(peer);
    });
  }

  server.on('connection', watch);
  if (isTls) server.on('secureConnection', watch);
  app.addHook('preClose', async () => {
    for (const socket of socketsByPeer.values())
      if (socket.bytesRead === 0 || (isTls && !('encrypted' in socket))) socket.destroy();
  });
}
