import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PostgresServer, startPostgres } from './server.ts';

/** Starts an empty PostgreSQL on a free port, in a temporary folder that `close()` removes. */
export async function startScratchPostgres(): Promise<PostgresServer> {
  const dataDir = await mkdtemp(join(tmpdir(), 'portico-postgres-'));
  const remove = (folder: string) => rm(folder, { recursive: true, force: true });
  try {
    const server = await startPostgres({ dataDir, port: 0 });
    return {
      ...server,
      async close() {
        await server.close();
        for (const folder of new Set([dataDir, server.dataDir])) await remove(folder);
      },
    };
  } catch (error) {
    await remove(dataDir);
    throw error;
  }
}
