import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';

const protocol = 'graphql-transport-ws';

/** Stands before a gateway and passes everything on, but for the first result of a subscription. */
export async function serveWithoutFirstResult(graphUrl: string) {
  const server = createServer((incoming, outgoing) => {
    const { method, headers } = incoming;
    incoming.pipe(
      request(graphUrl, { method, headers }, answer => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      }),
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const sockets = new WebSocketServer({ server, handleProtocols: () => protocol });
  let isFirst = true;
  sockets.on('connection', client => {
    const gateway = new WebSocket(graphUrl.replace(/^http/, 'ws'), protocol);
    const opened = once(gateway, 'open');
    client.on('message', (data: Buffer) => void opened.then(() => gateway.send(data.toString())));
    client.on('close', () => gateway.terminate());
    gateway.on('message', (data: Buffer) => {
      const text = data.toString();
      const { type } = JSON.parse(text) as { type: string };
      if (type === 'next' && isFirst) isFirst = false;
      else client.send(text);
    });
  });
  return {
    port: (server.address() as AddressInfo).port,
    async close(): Promise<void> {
      for (const client of sockets.clients) client.terminate();
      sockets.close();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
