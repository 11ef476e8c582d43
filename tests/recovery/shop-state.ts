import pg from 'pg';
import { type ServiceName, serviceNames } from '../../services.ts';
import type { DatabaseUrls } from './backups.ts';

/** Rows of every table by its name, `service.table`, as text in a fixed order. */
export type Rows = Readonly<Record<string, readonly string[]>>;

/** Reads everything that the services keep, but for the history of migrations. */
export async function readRows(urls: DatabaseUrls): Promise<Rows> {
  const rows: Record<string, readonly string[]> = {};
  for (const service of serviceNames) Object.assign(rows, await readDatabase(service, urls[service]));
  return rows;
}

async function readDatabase(service: ServiceName, connectionString: string): Promise<Rows> {
  return query(connectionString, async client => {
    const { rows: tables } = await client.query<{ name: string }>(
      `SELECT table_name AS name FROM information_schema.tables
       WHERE table_schema = 'public' AND table_name <> '_prisma_migrations'`,
    );
    const result: Record<string, readonly string[]> = {};
    for (const { name } of tables) {
      const { rows } = await client.query<{ row: string }>(
        `SELECT to_jsonb(t)::text AS row FROM "${name}" AS t ORDER BY 1`,
      );
      result[`${service}.${name}`] = rows.map(({ row }) => row);
    }
    return result;
  });
}

/** Ids of the orders that are placed, and of those that have stock: the same, at rest (docs/recovery.md). */
export async function compareStock({ orders, inventory }: DatabaseUrls) {
  const idsOf = (url: string, text: string) =>
    query(url, async client =>
      (await client.query<{ id: string }>(text)).rows.map(({ id }) => id).toSorted(),
    );
  return {
    placed: await idsOf(orders, `SELECT id FROM orders WHERE status = 'PLACED'`),
    reserved: await idsOf(inventory, `SELECT order_id AS id FROM reservations WHERE status = 'RESERVED'`),
  };
}

async function query<T>(connectionString: string, run: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    return await run(client);
  } finally {
    await client.end();
  }
}
