import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { logToFiles } from '../../dev/logs.ts';
import { makeDataDir } from '../helpers/system.ts';
import { findViolations } from './check.ts';
import { figuresOf } from './figures.ts';
import { query, readEvidence } from './read-evidence.ts';
import { type ChaosResult, runChaos } from './run.ts';
import { planFaults } from './schedule.ts';

const seconds = 30;
// Its schedule kills each kind of process that keeps something, and pauses several.
const seed = 13;

describe('customers order while processes are killed and paused', () => {
  let result: ChaosResult;
  let dataDir = '';

  beforeAll(async () => {
    dataDir = await makeDataDir();
    result = await runChaos({
      seconds,
      seed,
      dataDir,
      kafkaBrokers: process.env['KAFKA_BROKERS'],
      onLine: logToFiles(dataDir),
    });
    console.log(figuresOf(result));
  }, 240_000);
  afterAll(async () => {
    await result?.system.close();
    if (process.env['KEEP_TEST_DATA']) console.log(`The data of this system is in ${dataDir}`);
    else await rm(dataDir, { recursive: true, force: true });
  });

  /** The services, or what they stand on, that the schedule kills. */
  function plannedKills(): string[] {
    const targets = [...result.system.children.keys()].sort();
    return planFaults({ seed, seconds, targets })
      .filter(({ kind }) => kind === 'kill')
      .map(({ target }) => target.replace(/-\d$/, ''));
  }

  test('and all four guarantees hold', () => {
    expect(result.violations).toEqual([]);
  });

  test('and enough happened to tell', () => {
    const { ledger, evidence, faults, repeated } = result;
    expect(repeated).toBeGreaterThan(0);
    expect(faults.killed).toBeGreaterThan(4);
    expect(plannedKills()).toEqual(
      expect.arrayContaining(['gateway', 'inventory', 'notifications', 'orders', 'postgres']),
    );
    expect(ledger.orders.filter(({ placedIds }) => placedIds.size > 0).length).toBeGreaterThan(10);
    expect(ledger.orders.filter(({ cancel }) => cancel === 'cancelled').length).toBeGreaterThan(0);
    expect(ledger.orders.filter(({ unknown }) => unknown > 0).length).toBeGreaterThan(0);
    expect(evidence.deadLetters.length).toBeGreaterThan(0);
    expect(ledger.heard.length).toBeGreaterThan(10);
    // Those who listen came back after the gateway was killed.
    expect(ledger.listenerConnections).toBeGreaterThan(evidence.foundByCustomer.size);
  });

  describe('and the check sees a fault in the databases themselves', () => {
    /** Ids of placed orders that no test has touched yet. */
    const untouched = () => result.evidence.orders.filter(({ status }) => status === 'PLACED');
    let taken = 0;
    function takeOrder(): string {
      const id = untouched()[taken++]?.id;
      if (!id) throw new Error('the run expected to leave more placed orders');
      return id;
    }
    async function violations() {
      return findViolations(result.ledger, await readEvidence(result.sources));
    }

    test('an order that was acknowledged is removed', async () => {
      const placed = new Set(result.ledger.orders.flatMap(({ placedIds }) => [...placedIds]));
      let id = takeOrder();
      while (!placed.has(id)) id = takeOrder();
      await query(result.system.databaseUrls.orders, 'DELETE FROM orders WHERE id = $1', [id]);
      expect(await violations()).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ guarantee: 'orders', subject: id }),
          expect.objectContaining({ guarantee: 'stock', subject: id }),
        ]),
      );
    });

    test('an order is placed past the outbox', async () => {
      const id = randomUUID();
      await query(
        result.system.databaseUrls.orders,
        `WITH placed AS (
           INSERT INTO orders (id, customer_id, status, currency, total_amount, input_hash, placed_at)
           VALUES ($1, 'customer-1', 'PLACED', 'EUR', 1450, 'hash', now()) RETURNING id
         )
         INSERT INTO order_lines (order_id, position, sku, quantity, unit_price_amount)
         SELECT id, 0, 'MUG-BLACK', 1, 1450 FROM placed`,
        [id],
      );
      const found = await violations();
      expect(found).toContainEqual({
        guarantee: 'events',
        kind: 'lost',
        subject: id,
        what: 'expected the events dev.portico.order.placed.v1, but got none',
      });
      expect(found).toContainEqual({
        guarantee: 'events',
        kind: 'lost',
        subject: id,
        what: 'expected 1 notification ORDER_PLACED, but got 0',
      });
    });

    test('a reservation is leaked', async () => {
      const id = randomUUID();
      await query(
        result.system.databaseUrls.inventory,
        `WITH leaked AS (
           INSERT INTO reservations (order_id, status) VALUES ($1, 'RESERVED') RETURNING order_id
         )
         INSERT INTO reservation_lines (order_id, sku, quantity) SELECT order_id, 'MUG-SAND', 1 FROM leaked`,
        [id],
      );
      expect(await violations()).toContainEqual({
        guarantee: 'stock',
        kind: 'wrong',
        subject: id,
        what: 'holds 1 × MUG-SAND, but the order does not exist',
      });
    });

    test('pieces appear', async () => {
      // More than the orders hold that other tests have removed.
      await query(
        result.system.databaseUrls.inventory,
        `UPDATE stock SET available = available + 1000 WHERE sku = 'TOTE-CANVAS'`,
      );
      expect(await violations()).toContainEqual(
        expect.objectContaining({ guarantee: 'stock', subject: 'TOTE-CANVAS' }),
      );
    });

    test('a notification comes twice', async () => {
      const id = takeOrder();
      await query(
        result.system.databaseUrls.notifications,
        `INSERT INTO notifications (id, customer_id, position, kind, message, order_id, event_id, event_time)
         SELECT gen_random_uuid(), customer_id, position + 1000000, kind, message, order_id, gen_random_uuid(), event_time
         FROM notifications WHERE order_id = $1`,
        [id],
      );
      expect(await violations()).toContainEqual({
        guarantee: 'events',
        kind: 'duplicated',
        subject: id,
        what: 'expected 1 notification ORDER_PLACED, but got 2',
      });
    });

    test('a notification is lost', async () => {
      const id = takeOrder();
      await query(result.system.databaseUrls.notifications, 'DELETE FROM notifications WHERE order_id = $1', [
        id,
      ]);
      expect(await violations()).toContainEqual({
        guarantee: 'events',
        kind: 'lost',
        subject: id,
        what: 'expected 1 notification ORDER_PLACED, but got 0',
      });
    });

    test('an order is undecided', async () => {
      const id = takeOrder();
      // Begun in an hour, so that nobody gives it up meanwhile.
      await query(
        result.system.databaseUrls.orders,
        `UPDATE orders SET status = 'PENDING', placed_at = NULL, created_at = now() + interval '1 hour' WHERE id = $1`,
        [id],
      );
      expect(await violations()).toContainEqual({
        guarantee: 'events',
        kind: 'stuck',
        subject: id,
        what: 'is undecided',
      });
    });

    test('a message that can not be handled is not put aside', async () => {
      const ledger = { ...result.ledger, poison: [{ eventId: 'lost', acknowledged: true }] };
      const found = findViolations(ledger, await readEvidence(result.sources));
      expect(found).toContainEqual({
        guarantee: 'messages',
        kind: 'lost',
        subject: 'lost',
        what: "can't be handled, but inventory did not put it aside",
      });
    });
  });
});
