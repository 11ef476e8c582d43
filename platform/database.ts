import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import * as z from 'zod';
import { Backoff, pause } from './backoff.ts';
import { durationMs, urlSetting, wholeNumber } from './config.ts';
import { messageOf } from './errors.ts';
import type { HealthRegistry } from './health.ts';
import { type Closable, closeOnce } from './lifecycle.ts';
import type { Logger } from './log.ts';
import { isPooled, pooledClient } from './pooler.ts';

/** Settings of a process that uses a PostgreSQL database. */
export const databaseSettings = z.object({
  DATABASE_URL: urlSetting('postgresql:', 'postgres:').describe("The service's own PostgreSQL database."),
  DATABASE_POOL_SIZE: wholeNumber(10, { min: 1, max: 200 }).describe(
    'Most connections to the database at once.',
  ),
  DATABASE_QUERY_TIMEOUT_MS: durationMs(30_000).describe(
    'Longest wait for the answer of one statement, should the database hang or the network be cut.',
  ),
  DATABASE_IDLE_TRANSACTION_TIMEOUT_MS: durationMs(30_000).describe(
    'Age of an idle transaction at which the database ends it, so that an instance that is cut off keeps no locks; longer than a send to Kafka may take.',
  ),
});
export type DatabaseConfig = z.infer<typeof databaseSettings>;

/** Longest time that a database may take to accept a connection, in ms. */
const connectTimeoutMs = 5_000;
/** Silence after which a connection is probed, in ms; the system's own default are two hours. */
const probeAfterMs = 10_000;

/** Options of every connection: none waits for ever for a database that is cut off. */
function connectionOptions(config: Pick<DatabaseConfig, 'DATABASE_URL'>) {
  return {
    connectionString: config.DATABASE_URL,
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: probeAfterMs,
  };
}

/** A pool of connections, to be shared by Prisma's adapter and whatever speaks SQL itself. */
export interface Database extends Closable {
  readonly pool: pg.Pool;
  /** True if a pooler stands between, behind which a session may not last. */
  readonly isPooled: boolean;
}

/** Opens the service's database and adds it to the process's health. @throws when it cannot be reached */
export async function openDatabase(
  config: DatabaseConfig,
  health: HealthRegistry,
  log: Logger,
): Promise<Database> {
  const idleMs = config.DATABASE_IDLE_TRANSACTION_TIMEOUT_MS;
  const pooled = await isPooled(connectionOptions(config));
  if (pooled) log.info('The database is reached through a pooler: statements are not prepared');
  const pool = new pg.Pool({
    ...connectionOptions(config),
    max: config.DATABASE_POOL_SIZE,
    query_timeout: config.DATABASE_QUERY_TIMEOUT_MS,
    // A pooler may refuse what a session is to begin with.
    ...(pooled ? { Client: pooledClient(idleMs) } : { idle_in_transaction_session_timeout: idleMs }),
  });
  pool.on('error', error => log.warn({ err: error }, 'An idle database connection broke'));
  // A connection that breaks between two statements of its user has nobody to tell, and would end the process.
  pool.on('connect', connection =>
    connection.on('error', error => log.debug({ err: error }, 'A database connection broke')),
  );
  await pool.query('SELECT 1');
  health.add('db', async () => {
    await pool.query('SELECT 1');
    return { status: 'UP', details: { database: 'PostgreSQL' } };
  });
  return { pool, isPooled: pooled, close: closeOnce(() => pool.end()) };
}

interface ListenOptions {
  /** Address of the database, past any pooler. */
  readonly url: string;
  readonly channel: string;
  readonly log: Logger;
  readonly onNotification: (payload: string) => void;
  /** Called at every (re)connection: what was said while nobody listened must be looked up. */
  readonly onListening: () => void;
}

/** Age of a connection from which its loss counts as the first failure again, in ms. */
const steadyMs = 5_000;
/** Time between two probes of a listening connection, and longest time until the answer, in ms. */
const probeMs = 5_000;
const goodbyeMs = 1_000;

/** Asks a connection now and then. @returns the error with which it no longer answers */
async function probe(client: pg.Client, signal: AbortSignal): Promise<Error | undefined> {
  try {
    for (;;) {
      await delay(probeMs, undefined, { signal });
      await client.query('SELECT 1');
    }
  } catch (error) {
    return error as Error;
  }
}

/**
 * Listens on a PostgreSQL channel over a connection of its own, and connects again when that breaks.
 *
 * @see https://www.postgresql.org/docs/current/sql-notify.html
 */
export function listenToDatabase(options: ListenOptions): Closable {
  const { url, channel, log, onNotification, onListening } = options;
  const stop = new AbortController();

  async function listenOnce(): Promise<void> {
    const client = new pg.Client({ ...connectionOptions({ DATABASE_URL: url }), query_timeout: probeMs });
    const broken = new Promise<Error | undefined>(resolve => {
      client.on('error', resolve);
      client.on('end', () => resolve(undefined));
      stop.signal.addEventListener('abort', () => resolve(undefined), { once: true });
    });
    try {
      await client.connect();
      client.on('notification', ({ payload }) => onNotification(payload ?? ''));
      await client.query(`LISTEN ${pg.escapeIdentifier(channel)}`);
      onListening();
      const error = await Promise.race([broken, probe(client, stop.signal)]);
      if (!stop.signal.aborted) throw error ?? new Error('the connection ended');
    } finally {
      // A server that does not answer does not say goodbye either.
      await Promise.race([client.end().catch(() => {}), delay(goodbyeMs, undefined, { ref: false })]);
    }
  }

  async function run(): Promise<void> {
    const backoff = new Backoff();
    while (!stop.signal.aborted) {
      const startedAtMs = Date.now();
      try {
        await listenOnce();
      } catch (error) {
        if (stop.signal.aborted) return;
        if (Date.now() - startedAtMs > steadyMs) backoff.reset();
        const retryMs = backoff.next();
        log.warn({ channel, retryMs }, `Listening to the database was interrupted: ${messageOf(error)}`);
        await pause(retryMs, stop.signal);
      }
    }
  }

  const running = run();
  return {
    close: closeOnce(async () => {
      stop.abort();
      await running;
    }),
  };
}
