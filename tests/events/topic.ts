import { randomUUID } from 'node:crypto';
import type { Kafka, Message } from 'kafkajs';
import pg from 'pg';
import { expect, vi } from 'vitest';
import { createEvent, type DomainEvent, toMessage } from '../../platform/kafka/events.ts';
import type { TestSystem } from '../helpers/system.ts';
import { createKafka, type Received, readTopic, startAdmin, startProducer } from '../kafka/clients.ts';

/** Topic of the events of orders. */
export const topic = 'orders.events';

/** Longest time that a scenario waits for what has to happen, in ms. */
export const wait = { timeout: 30_000, interval: 50 };

/** A client of the broker that a system uses. */
export function kafkaOf({ system }: TestSystem): Kafka {
  return createKafka(system.kafkaBrokers.split(','));
}

/** Makes the event of an order that nobody placed, for a customer. */
export function placedEvent(customerId: string, orderId: string = randomUUID()): DomainEvent {
  const price = { amount: 1450, currency: 'EUR' };
  return createEvent({
    type: 'dev.portico.order.placed.v1',
    source: '/orders',
    subject: orderId,
    data: {
      orderId,
      customerId,
      items: [{ sku: 'MUG-BLACK', quantity: 1, unitPrice: price }],
      total: price,
      placedAt: new Date().toISOString(),
    },
  });
}

/** Makes the event of a cancellation. */
export function cancelledEvent(customerId: string, orderId: string): DomainEvent {
  const data = { orderId, customerId, cancelledAt: new Date().toISOString() };
  return createEvent({ type: 'dev.portico.order.cancelled.v1', source: '/orders', subject: orderId, data });
}

/** Sends events, or messages that are none, to a topic. */
export async function publish(
  shop: TestSystem,
  messages: readonly (DomainEvent | Message)[],
  to: string = topic,
): Promise<void> {
  const producer = await startProducer(kafkaOf(shop), { idempotent: true });
  await producer.send({
    topic: to,
    messages: messages.map(each => ('subject' in each ? toMessage(each) : each)),
  });
}

/** Every message of a topic, in the order of each partition. */
export async function readAll(shop: TestSystem, of: string = topic): Promise<Received[]> {
  const kafka = kafkaOf(shop);
  const offsets = await (await startAdmin(kafka)).fetchTopicOffsets(of);
  const count = offsets.reduce((sum, { low, high }) => sum + Number(high) - Number(low), 0);
  return readTopic(kafka, of, count);
}

/** A row of the notifications' database, as far as the tests look at it. */
export interface Notified {
  readonly kind: string;
  readonly eventId: string;
  readonly orderId: string;
}

/** The notifications that a customer has, in the order of their feed. */
export async function notificationsOf({ system }: TestSystem, customerId: string): Promise<Notified[]> {
  const client = new pg.Client({ connectionString: system.databaseUrls.notifications });
  await client.connect();
  try {
    const { rows } = await client.query<Notified>(
      `SELECT kind, event_id AS "eventId", order_id AS "orderId" FROM notifications
       WHERE customer_id = $1 ORDER BY position`,
      [customerId],
    );
    return rows;
  } finally {
    await client.end();
  }
}

/** The sum of a metric over all its series that have the labels, of one process. */
export async function metricOf(
  shop: TestSystem,
  process: string,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const text = await (await fetch(shop.actuator(process, 'prometheus'))).text();
  const series = text.split('\n').filter(line => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  const wanted = series.filter(line =>
    Object.entries(labels).every(([label, value]) => line.includes(`${label}="${value}"`)),
  );
  return wanted.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

/** Resolves when notifications has consumed all that was published until now: a mark behind it was, in each partition. */
export async function untilConsumed(shop: TestSystem): Promise<void> {
  const customer = randomUUID();
  const admin = await startAdmin(kafkaOf(shop));
  const partitions = (await admin.fetchTopicOffsets(topic)).map(({ partition }) => partition);
  await publish(
    shop,
    partitions.map(partition => ({ ...toMessage(placedEvent(customer)), partition })),
  );
  await vi.waitFor(
    async () => expect(await notificationsOf(shop, customer)).toHaveLength(partitions.length),
    wait,
  );
}
