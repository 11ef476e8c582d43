import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { freePort } from './free-port.ts';

test('a port is free, and is none that the system gives by itself', async () => {
  const port = await freePort();
  expect(port).toBeLessThan(32_768);
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  server.close();
});

test('a port that is taken is passed over', async () => {
  const taken = await freePort();
  const server = createServer().listen(taken, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const share = (taken - 20_000) / (32_768 - 20_000) + 1e-6;
  const random = vi.spyOn(Math, 'random').mockReturnValueOnce(share).mockReturnValueOnce(share);
  onTestFinished(() => random.mockRestore());
  expect(await freePort()).not.toBe(taken);
  expect(random.mock.calls.length).toBeGreaterThanOrEqual(3);
});
