import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';

/**
 * Closes, when the server does, connections on which nothing was ever asked. Clients open some in advance, and
 * `closeIdleConnections` does not count them as idle until the time for a request's headers is over, a minute later.
 */
export function closeUnusedConnections(app: FastifyInstance): void {
  const server: Server = app.server;
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  app.addHook('preClose', async () => {
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
  });
}
