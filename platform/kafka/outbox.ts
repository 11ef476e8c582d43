import type { Pool, QueryResult } from 'pg';
import { Counter, Gauge, type Registry } from 'prom-client';
import { withTimeout } from '../deadline.ts';
import { messageOf } from '../errors.ts';
import { type Closable, closeOnce } from '../lifecycle.ts';
import type { Logger } from '../log.ts';
import { onConnection } from '../statement.ts';
import { Waker } from '../waker.ts';
import type { EventProducer } from './client.ts';
import { type DomainEvent, toMessage } from './events.ts';

/** Most events in one transaction of the relay. */
const batchSize = 100;
/** Longest time that the database may take to count the outbox for the metrics, in ms. */
const countTimeoutMs = 1_000;

/**
 * Events that may go now: for each key, only the oldest. Relays on several instances so share the work and keep the
 * order of every key: while one of them holds a key's oldest event, no other sees the next.
 */
const selectBatch = `
  SELECT sequence, topic, key, headers, value, EXISTS (
    SELECT 1 FROM outbox_events AS later
    WHERE later.key = event.key AND later.topic = event.topic AND later.sequence > event.sequence
  ) AS "hasNext"
  FROM outbox_events AS event WHERE NOT EXISTS (
    SELECT 1 FROM outbox_events AS earlier
    WHERE earlier.key = event.key AND earlier.topic = event.topic AND earlier.sequence < event.sequence
  )
  ORDER BY sequence LIMIT ${batchSize} FOR UPDATE SKIP LOCKED`;

interface OutboxRow {
  readonly sequence: string;
  readonly topic: string;
  readonly key: string;
  readonly headers: Record<string, string>;
  readonly value: string;
  /** True if an event of the same key waits for this one. */
  readonly hasNext: boolean;
}

/** A row for `outbox_events`, to be inserted in the transaction of the change that the event tells of. */
export function outboxRow(topic: string, event: DomainEvent) {
  const { key, headers, value } = toMessage(event);
  return { id: event.id, topic, key, headers, value };
}

interface RelayOptions {
  readonly pool: Pool;
  readonly producer: EventProducer;
  readonly log: Logger;
  readonly metrics: Registry;
  /** Longest time between two looks for events that another instance has left, in ms. @default 1000 */
  readonly lookAgainMs?: number;
}

/** Publishes what an outbox holds. */
export interface OutboxRelay extends Closable {
  /** Looks for events now: to be called by who has committed some. */
  wake(): void;
}

/**
 * Starts the relay of a transactional outbox: it publishes what `outbox_events` holds and deletes what the broker has
 * acknowledged, so that an event is published at least once if and only if its transaction was committed. Whoever adds an
 * event wakes the relay of its own process; relays of other instances find by themselves what that one leaves.
 *
 * @see https://microservices.io/patterns/data/transactional-outbox.html
 */
export function startOutboxRelay(options: RelayOptions): OutboxRelay {
  const { pool, producer, log, metrics, lookAgainMs = 1_000 } = options;
  const published = new Counter({
    name: 'outbox_events_published_total',
    help: 'Events that the broker has acknowledged.',
    registers: [metrics],
  });
  new Gauge({
    name: 'outbox_events_pending',
    help: 'Events that wait to be published.',
    registers: [metrics],
    // Without the database nobody knows: the metric is then missing, rather than the whole answer.
    async collect() {
      try {
        this.set(await withTimeout(countPending(pool), countTimeoutMs, 'Counting the outbox'));
      } catch (error) {
        this.remove();
        log.debug(`The outbox cannot be counted: ${messageOf(error)}`);
      }
    },
  });

  const waker = new Waker();
  let stopped = false;

  async function run(): Promise<void> {
    while (!stopped) {
      try {
        const rows = await publishBatch(pool, producer);
        published.inc(rows.length);
        if (rows.length === batchSize || rows.some(({ hasNext }) => hasNext)) continue;
      } catch (error) {
        log.warn(`Publishing from the outbox failed and will be tried again: ${messageOf(error)}`);
      }
      await waker.sleep(lookAgainMs);
    }
  }

  const running = run();
  return {
    wake: () => waker.wake(),
    close: closeOnce(async () => {
      stopped = true;
      waker.wake();
      await running;
    }),
  };
}

async function countPending(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ count: string }>('SELECT count(*) FROM outbox_events');
  return Number(rows[0]?.count ?? 0);
}

/**
 * Publishes what may go now. Several statements go in one message: at the rate of an event a batch, a message costs more
 * than what it asks for.
 */
function publishBatch(pool: Pool, producer: EventProducer): Promise<readonly OutboxRow[]> {
  return onConnection(pool, async connection => {
    const results = await connection.query(`BEGIN; ${selectBatch}`);
    const { rows } = (results as unknown as QueryResult<OutboxRow>[]).at(-1) as QueryResult<OutboxRow>;
    await sendRows(rows, producer);
    const sequences = rows.map(({ sequence }) => BigInt(sequence)).join();
    await connection.query(
      sequences ? `DELETE FROM outbox_events WHERE sequence IN (${sequences}); COMMIT` : 'COMMIT',
    );
    return rows;
  });
}

async function sendRows(rows: readonly OutboxRow[], producer: EventProducer): Promise<void> {
  const rowsByTopic = groupBy(rows, row => row.topic);
  for (const [topic, messages] of rowsByTopic)
    await producer.send({
      topic,
      messages: messages.map(({ key, headers, value }) => ({ key, headers, value })),
    });
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group) group.push(item);
    else groups.set(keyOf(item), [item]);
  }
  return groups;
}
