import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { createHttpServer, type Listening, listen } from './http.ts';
import { silentLog } from './log.ts';

/** Starts a server that says when it begins to close, and when a connection has come. */
async function start(whileClosing: (open: () => Promise<Socket>) => Promise<void> = async () => {}) {
  const config = { HTTP_HEADERS_TIMEOUT_MS: 60_000, HTTP_REQUEST_TIMEOUT_MS: 60_000 };
  const app = createHttpServer({ log: silentLog, config });
  const slow = new PassThrough();
  app.get('/', async () => 'an answer');
  app.get('/later', async () => text(slow));
  app.get('/begun', async (_request, reply) => reply.send(slow));
  const open = async () => {
    const socket = connect(server.port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    await once(app.server, 'connection');
    return socket;
  };
  app.addHook('preClose', () => whileClosing(open));
  const server: Listening = await listen(app, { host: '127.0.0.1', port: 0 });
  return { app, server, open, slow };
}

const ask = (path: string) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;

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
  socket.write(ask('/'));
  const answer = await text(socket);
  expect(answer).toMatch(/^HTTP\/1\.1 200 OK/);
  expect(answer).toMatch(/^connection: close\r$/im);
  await closed;
});

test('a connection whose request is answered only then is closed with the answer', async () => {
  const { app, server, open, slow } = await start();
  const socket = await open();
  socket.write(ask('/later'));
  await once(app.server, 'request');
  const closed = server.close();
  slow.end('an answer');
  const answer = await text(socket);
  expect(answer).toMatch(/^connection: close\r$/im);
  expect(answer).toMatch(/an answer$/);
  await closed;
});

test('so is one whose answer began before', async () => {
  const { server, open, slow } = await start();
  const socket = await open();
  socket.write(ask('/begun'));
  slow.write('an answer');
  const [begun] = (await once(socket, 'data')) as [Buffer];
  expect(begun.toString()).toMatch(/^connection: keep-alive\r$/im);
  const closed = server.close();
  slow.end();
  await Promise.all([once(socket, 'close'), closed]);
});
