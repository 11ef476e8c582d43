import { randomUUID } from 'node:crypto';
import type { SqlDriverAdapter } from '@prisma/driver-adapter-utils';
import { runSql } from '../migrate/database.ts';
import { connectAdapter } from './adapter.ts';

/**
 * Connects the schema engine to a new, empty database on the same server, in which it replays migrations to see what
 * they make. Disposing the connection drops that database.
 *
 * Fault 3: adapter-pg drops its shadow database before it closes its own connections to it, which PostgreSQL refuses.
 *
 * @param databaseUrl of a database whose user may create others
 */
export async function connectShadowDatabase(databaseUrl: string): Promise<SqlDriverAdapter> {
  const database = `prisma_migrate_shadow_db_${randomUUID()}`;
  await runSql(databaseUrl, `CREATE DATABASE "${database}"`);
  const shadowUrl = new URL(databaseUrl);
  shadowUrl.pathname = `/${database}`;
  return connectAdapter(shadowUrl.href, async () => {
    await runSql(databaseUrl, `DROP DATABASE IF EXISTS "${database}" WITH (FORCE)`);
  });
}
