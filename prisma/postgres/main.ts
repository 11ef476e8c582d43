import { join, resolve } from 'node:path';
import { onTermination } from '../../platform/termination.ts';
import { startPostgres } from './server.ts';

const defaultPort = 54320;
const defaultDataDir = join(import.meta.dirname, '..', '..', '.portico', 'postgres');

/** The embedded PostgreSQL as a process: it ends on SIGTERM, SIGINT and SIGHUP, and with the process that started it. */
async function main(): Promise<void> {
  const stopRequested = new Promise(onTermination);
  const { POSTGRES_PORT, POSTGRES_DATA_DIR } = process.env;
  const dataDir = resolve(POSTGRES_DATA_DIR || defaultDataDir);
  const server = await startPostgres({
    dataDir,
    port: parsePort(POSTGRES_PORT),
    log: line => console.error(line),
  });
  if (process.connected) {
    const elsewhere = server.dataDir === dataDir ? undefined : server.dataDir;
    process.send?.({ type: 'ready', name: 'postgres', port: server.port, url: server.url, elsewhere });
  }
  const endedByItself = await Promise.race([stopRequested.then(() => false), server.exited.then(() => true)]);
  if (endedByItself) throw new Error('PostgreSQL has ended by itself');

  await server.close();
}

/** Reads a port number; empty means the default. */
function parsePort(text: string | undefined): number {
  const port = Number(text || defaultPort);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new Error(`POSTGRES_PORT must be a port number from 0 to 65535; it is ${text}`);

  return port;
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
if (process.connected) process.disconnect();
