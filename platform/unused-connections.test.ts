import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { createHttpServer, type Listening, listen } from './http.ts';
import { silentLog } from './log.ts';

/** Starts a server that says when it begins to close, and when a connection has come. */
async function start(whileClosing: (open: () => Promise<Socket>) => Promise<void> = async () => {}) {
  const config = { HTTP_HEADERS_TIMEOUT_MS: 60_000, HTTP_REQUEST_TIMEOUT_MS: 60_000 };
  const app = createHttpServer({ log: silentLog, config });
  app.get('/', async () => 'an answer');
  const open = async () => {
    const socket = connect(server.port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    await once(app.server, 'connection');
    return socket;
  };
  app.addHook('preClose', () => whileClosing(open));
  const server: Listening = await listen(app, { host: '127.0.0.1', port: 0 });
  return { server, open };
}

const ask = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';

test('a connection on which nothing is asked does not keep a server from closing', async () => {
  const { server, open } = await start();
  const socket = await open();
  await Promise.all([once(socket, 'close'), server.close()]);
});

test('nor does one that comes while the server begins to close', async () => {
  const { server } = await start(async open => void (await open()));
  await server.close();
});

test('a request that is on its way is answered', async () => {
  const { server, open } = await start();
  const socket = await open();
  const closed = server.close();
  socket.write(ask);
  const answer = await text(socket);
  expect(answer).toMatch(/^HTTP\/1\.1 200 OK/);
  expect(answer).toMatch(/^connection: close\r$/im);
  await closed;
});
