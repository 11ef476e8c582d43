import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below the ports that systems give by themselves to servers and connections, which begin at 32768 on Linux. */
const firstPort = 20_000;
const lastPort = 32_767;
const maxTries = 100;

/**
 * A port that nobody listens on now: for those that can't say which one they took, and for tests in which nobody answers. The
 * system gives it to nobody who asks for any port, so that it is still free when it is used.
 *
 * @throws Error when a hundred ports of the range are taken
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < maxTries; tries++) {
    const port = firstPort + Math.floor(Math.random() * (lastPort - firstPort + 1));
    if (await isFree(port)) return port;
  }
  throw new Error(
    `No free port was found between ${firstPort} and ${lastPort}; ${maxTries} of them are taken`,
  );
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return false;
    throw error;
  }
  server.close();
  await once(server, 'close');
  return true;
}
