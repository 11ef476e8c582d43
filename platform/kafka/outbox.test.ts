import pg from 'pg';
import { Registry } from 'prom-client';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { deployMigrations } from '../../prisma/migrate.ts';
import { startScratchPostgres } from '../../prisma/postgres/scratch.ts';
import type { PostgresServer } from '../../prisma/postgres/server.ts';
import { withDatabase } from '../../prisma/testing.ts';
import { createScope, type Scope } from '../lifecycle.ts';
import { silentLog } from '../log.ts';
import type { EventProducer } from './client.ts';
import { createEvent, type DomainEvent } from './events.ts';
import { outboxRow, startOutboxRelay } from './outbox.ts';

vi.setConfig({ testTimeout: 30_000, hookTimeout: 60_000 });

/** Longest time that a test waits for what has to happen, in ms. */
const wait = { timeout: 4_000, interval: 10 };
const topic = 'orders.events';

let server: PostgresServer;
let databaseUrl = '';
let pool: pg.Pool;
let scope: Scope;

beforeAll(async () => {
  server = await startScratchPostgres();
  databaseUrl = withDatabase(server.url, 'orders');
  await deployMigrations({ service: 'orders', databaseUrl });
});
afterAll(() => server.close());

beforeEach(() => {
  scope = createScope(silentLog);
  pool = openPool();
});
afterEach(async () => {
  await pool.query('DELETE FROM outbox_events');
  await scope.close();
});

function openPool(): pg.Pool {
  const opened = new pg.Pool({ connectionString: databaseUrl, connectionTimeoutMillis: 1_000 });
  opened.on('error', () => {});
  scope.defer('pool', () => opened.end());
  return opened;
}

/** A message that the broker has acknowledged. */
interface Sent {
  readonly key: string;
  readonly n: number;
}

/** Stands for the broker: it notes what it gets, and can be told to fail. */
function createRecorder() {
  const sent: Sent[] = [];
  const recorder = {
    sent,
    failing: false,
    producer: {
      connected: Promise.resolve(),
      close: async () => {},
      async send({ messages }) {
        // Time for another relay to look at the table.
        await new Promise(resolve => setImmediate(resolve));
        if (recorder.failing) throw new Error('the broker is away');
        for (const { key, value } of messages)
          sent.push({ key: String(key), n: (JSON.parse(String(value)) as { n: number }).n });
        return [];
      },
    } satisfies EventProducer,
  };
  return recorder;
}

function startRelay(producer: EventProducer, options: { metrics?: Registry; lookAgainMs?: number } = {}) {
  return scope.use(
    'relay',
    startOutboxRelay({ pool, producer, log: silentLog, metrics: new Registry(), ...options }),
  );
}

function eventOf(subject: string, n: number): DomainEvent {
  return createEvent({ type: 'dev.portico.test.happened.v1', source: '/test', subject, data: { n } });
}

/** Adds events to the outbox in one transaction. */
async function add(events: readonly DomainEvent[], end: 'COMMIT' | 'ROLLBACK' = 'COMMIT'): Promise<void> {
  const client = await pool.connect();
  await client.query('BEGIN');
  for (const event of events) {
    const { id, key, headers, value } = outboxRow(topic, event);
    await client.query(
      'INSERT INTO outbox_events (id, topic, key, headers, value) VALUES ($1, $2, $3, $4, $5)',
      [id, topic, key, headers, value],
    );
  }
  await client.query(end);
  client.release();
}

const numbersOf = (sent: readonly Sent[], key: string) =>
  sent.filter(each => each.key === key).map(({ n }) => n);

describe('the relay of the outbox', () => {
  test('publishes what was committed as soon as it is woken, and nothing else', async () => {
    const { sent, producer } = createRecorder();
    const relay = startRelay(producer, { lookAgainMs: 60_000 });
    await add([eventOf('a', 1)]);
    relay.wake();
    await vi.waitFor(() => expect(sent).toEqual([{ key: 'a', n: 1 }]), wait);
    await add([eventOf('a', 2)], 'ROLLBACK');
    await add([eventOf('a', 3), eventOf('a', 4)]);
    relay.wake();
    await vi.waitFor(() => expect(numbersOf(sent, 'a')).toEqual([1, 3, 4]), wait);
    await vi.waitFor(
      async () => expect((await pool.query('SELECT 1 FROM outbox_events')).rowCount).toBe(0),
      wait,
    );
  });

  test('finds by itself what an instance has left that has ended since', async () => {
    const { sent, producer } = createRecorder();
    startRelay(producer, { lookAgainMs: 100 });
    await add([eventOf('a', 1)]);
    await vi.waitFor(() => expect(sent).toEqual([{ key: 'a', n: 1 }]), wait);
  });

  test('publishes each event once and the events of each key in order, however many relays there are', async () => {
    const { sent, producer } = createRecorder();
    const keys = ['a', 'b', 'c', 'd'];
    const numbers = Array.from({ length: 25 }, (_, n) => n);
    for (const n of numbers) await add(keys.map(key => eventOf(key, n)));
    for (let relays = 0; relays < 3; relays++) startRelay(producer);
    await vi.waitFor(() => expect(sent).toHaveLength(keys.length * numbers.length), { timeout: 20_000 });
    for (const key of keys) expect(numbersOf(sent, key)).toEqual(numbers);
  });

  test('keeps what the broker has not acknowledged, and publishes it in order when it does', async () => {
    const recorder = createRecorder();
    recorder.failing = true;
    startRelay(recorder.producer);
    await add([eventOf('a', 1)]);
    await add([eventOf('a', 2)]);
    const failed = (await pool.query<{ count: string }>('SELECT count(*) FROM outbox_events')).rows[0];
    expect(failed?.count).toBe('2');
    recorder.failing = false;
    await add([eventOf('b', 1)]);
    await vi.waitFor(() => expect(recorder.sent).toHaveLength(3), wait);
    expect(numbersOf(recorder.sent, 'a')).toEqual([1, 2]);
  });
});

describe('the metrics of the outbox', () => {
  test('count what waits and what was published', async () => {
    const metrics = new Registry();
    const recorder = createRecorder();
    recorder.failing = true;
    startRelay(recorder.producer, { metrics });
    await add([eventOf('a', 1), eventOf('b', 1)]);
    expect(await metrics.metrics()).toMatch(/^outbox_events_pending 2$/m);
    recorder.failing = false;
    await add([eventOf('c', 1)]);
    await vi.waitFor(
      async () => expect(await metrics.metrics()).toMatch(/^outbox_events_published_total 3$/m),
      wait,
    );
    expect(await metrics.metrics()).toMatch(/^outbox_events_pending 0$/m);
  });

  test('are answered while the database is away, without what only it knows', async () => {
    const metrics = new Registry();
    const { sent, producer } = createRecorder();
    const away = new pg.Pool({ connectionString: databaseUrl, connectionTimeoutMillis: 1_000 });
    scope.use('relay', startOutboxRelay({ pool: away, producer, log: silentLog, metrics }));
    await add([eventOf('a', 1)]);
    await vi.waitFor(() => expect(sent).toHaveLength(1), wait);
    await away.end();

    const text = await metrics.metrics();
    expect(text).not.toMatch(/^outbox_events_pending \d/m);
    expect(text).toMatch(/^outbox_events_published_total 1$/m);
  });

  test('are answered while the database hangs', async () => {
    const metrics = new Registry();
    const locker = await openPool().connect();
    await locker.query('BEGIN');
    await locker.query('LOCK TABLE outbox_events IN ACCESS EXCLUSIVE MODE');
    startRelay(createRecorder().producer, { metrics });
    const text = await metrics.metrics();
    expect(text).not.toMatch(/^outbox_events_pending \d/m);
    expect(text).toContain('outbox_events_published_total 0');
    await locker.query('ROLLBACK');
    locker.release();
    expect(await metrics.metrics()).toMatch(/^outbox_events_pending 0$/m);
  });
});
