import { Agent, get, type IncomingMessage } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { createHttpServer, listen } from '../../platform/http.ts';
import { silentLog } from '../../platform/log.ts';
import { createFarewell } from './farewell.ts';

/** Starts a server, and a client that keeps one connection. */
async function start() {
  const config = { HTTP_HEADERS_TIMEOUT_MS: 10_000, HTTP_REQUEST_TIMEOUT_MS: 10_000 };
  const app = createHttpServer({ log: silentLog, config });
  app.get('/', async () => 'here');
  const farewell = createFarewell(app);
  const server = await listen(app, { host: '127.0.0.1', port: 0 });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(async () => {
    agent.destroy();
    await server.close();
  });
  const ask = () =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const request = get({ port: server.port, agent }, response => {
        response.resume().once('end', () => resolve(response));
      });
      request.once('error', reject);
    });
  return { ask, farewell };
}

test('an answer tells that its connection ends, and the farewell is over when all have gone', async () => {
  const { ask, farewell } = await start();
  expect((await ask()).headers.connection).toBe('keep-alive');
  const beganMs = performance.now();
  const over = farewell.close();
  const last = await ask();
  expect(last.statusCode).toBe(200);
  expect(last.headers.connection).toBe('close');
  await over;
  expect(performance.now() - beganMs).toBeLessThan(900);
});

test('who is silent is not waited for longer than a second', async () => {
  const { ask, farewell } = await start();
  await ask();
  const beganMs = performance.now();
  await farewell.close();
  expect(performance.now() - beganMs).toBeGreaterThanOrEqual(990);
  expect((await ask()).headers.connection).toBe('close');
});

test('nobody is waited for where nobody is', async () => {
  const { farewell } = await start();
  const beganMs = performance.now();
  await farewell.close();
  expect(performance.now() - beganMs).toBeLessThan(500);
});
