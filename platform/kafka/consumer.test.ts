import { setTimeout as delay } from 'node:timers/promises';
import kafkajs, { type Kafka } from 'kafkajs';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import * as z from 'zod';
import { type Broker, startBroker } from '../../broker/server.ts';
import { makeTempDir } from '../../broker/testing.ts';
import { loadConfig } from '../config.ts';
import { HealthRegistry } from '../health.ts';
import { createScope, type Scope } from '../lifecycle.ts';
import { silentLog } from '../log.ts';
import { currentTrace } from '../trace-context.ts';
import { createKafka, createProducer, type EventProducer } from './client.ts';
import { consume } from './consumer.ts';
import { deadLetterTopicOf, fromDeadLetter } from './dead-letters.ts';
import { eventHandler } from './event-handlers.ts';
import { createEvent, type DomainEvent, toMessage } from './events.ts';
import { kafkaSettings } from './settings.ts';

/** Longest time that a test waits for what has to happen, in ms. */
const wait = { timeout: 20_000, interval: 20 };
const topic = 'orders.events';
const type = 'dev.portico.order.placed.v1';

let broker: Broker;
let dataDir: string;
let kafka: Kafka;
let producer: EventProducer;
let scope: Scope;

async function start(port = 0): Promise<void> {
  broker = await startBroker({ dataDir, port, initialRebalanceDelayMs: 0 });
}

function configOf(env: Record<string, string> = {}) {
  return loadConfig(kafkaSettings, { KAFKA_BROKERS: `127.0.0.1:${broker.port}`, ...env });
}

beforeEach(async () => {
  dataDir = await makeTempDir();
  scope = createScope(silentLog);
  await start();
  const config = configOf({ KAFKA_TOPIC_PARTITIONS: '2' });
  kafka = createKafka(config, 'test', silentLog);
  const topics = [topic, deadLetterTopicOf(topic)];
  producer = scope.use('producer', createProducer({ kafka, topics, config, log: silentLog }));
  await producer.connected;
});
afterEach(async () => {
  await scope.close();
  await broker.close();
});

interface Consumption {
  readonly handle: (event: DomainEvent<{ n: number }>) => Promise<void>;
  readonly env?: Record<string, string>;
}

/** Starts a consumer of a group, with health and metrics of its own. */
function startConsumer({ handle, env = {} }: Consumption) {
  const metrics = new Registry();
  const health = new HealthRegistry();
  const consumer = scope.use(
    'consumer',
    consume({
      kafka,
      config: configOf(env),
      groupId: 'group',
      topic,
      handlers: { [type]: eventHandler(z.object({ n: z.int() }), handle) },
      deadLetters: producer,
      log: silentLog,
      metrics,
      health,
    }),
  );
  const valuesOf = async (name: string) => (await metrics.getSingleMetric(name)?.get())?.values ?? [];
  return {
    consumer,
    liveness: async () => (await health.check('liveness')).components['kafka'],
    async sum(name: string, labels: Record<string, string> = {}) {
      const wanted = (await valuesOf(name)).filter(each =>
        Object.entries(labels).every(([label, value]) => each.labels[label] === value),
      );
      return wanted.reduce((sum, { value }) => sum + value, 0);
    },
    valuesOf,
  };
}

function send(n: number, { subject = 'order-1', as = type } = {}) {
  return producer.send({
    topic,
    messages: [toMessage(createEvent({ type: as, source: '/orders', subject, data: { n } }))],
  });
}

function sendTo(partition: number, n: number) {
  const event = createEvent({ type, source: '/orders', subject: `order-${n}`, data: { n } });
  return producer.send({ topic, messages: [{ ...toMessage(event), partition }] });
}

/** The dead letters so far. */
async function readDeadLetters() {
  const consumer = kafka.consumer({ groupId: 'reader', maxWaitTimeInMs: 100 });
  const letters: ReturnType<typeof fromDeadLetter>[] = [];
  scope.defer('reader', () => consumer.disconnect());
  await consumer.connect();
  await consumer.subscribe({ topics: [deadLetterTopicOf(topic)], fromBeginning: true });
  await consumer.run({ eachMessage: async ({ message }) => void letters.push(fromDeadLetter(message)) });
  return letters;
}

describe('a consumer', () => {
  test('handles the events of a key in order, in the trace of each', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const got: { n: number; trace: unknown }[] = [];
    const { sum } = startConsumer({
      handle: async ({ data }) => void got.push({ n: data.n, trace: currentTrace() }),
    });
    await send(1);
    const event = createEvent({ type, source: '/orders', subject: 'order-1', data: { n: 2 } });
    await producer.send({ topic, messages: [toMessage({ ...event, trace: { traceparent } })] });
    await send(3);
    await vi.waitFor(
      () =>
        expect(got).toEqual([
          { n: 1, trace: undefined },
          { n: 2, trace: { traceparent } },
          { n: 3, trace: undefined },
        ]),
      wait,
    );
    expect(await sum('events_consumed_total', { outcome: 'handled', type })).toBe(3);
  });

  test('puts aside what it cannot handle, and goes on with what is behind it', async () => {
    const letters = await readDeadLetters();
    const got: number[] = [];
    const { sum } = startConsumer({ handle: async ({ data }) => void got.push(data.n) });
    await send(1);
    await producer.send({
      topic,
      messages: [{ key: 'order-1', value: Buffer.from([0xff, 0]), headers: { odd: Buffer.from([0xff]) } }],
    });
    await send(2, { as: 'dev.portico.order.placed.v2' });
    await send(3, { as: 'dev.portico.order.shipped.v1' });
    await send(4);
    await vi.waitFor(() => expect(got).toEqual([1, 4]), wait);
    await vi.waitFor(() => expect(letters).toHaveLength(2), wait);

    expect(letters[0]).toMatchObject({
      topic,
      offset: '1',
      group: 'group',
      reason: expect.stringContaining('Expected a CloudEvent'),
      message: { value: Buffer.from([0xff, 0]), headers: { odd: Buffer.from([0xff]) } },
    });
    expect(letters[1]?.reason).toBe(`Expected a version of ${type}, but got dev.portico.order.placed.v2`);
    expect(await sum('events_consumed_total', { outcome: 'dead_letter' })).toBe(2);
    expect(await sum('events_consumed_total', { outcome: 'skipped' })).toBe(1);
  });

  test('tries again what may pass, and then has handled it once', async () => {
    const got: number[] = [];
    let failures = 2;
    const { sum } = startConsumer({
      async handle({ data }) {
        if (failures-- > 0) throw new Error('the database is away');
        got.push(data.n);
      },
    });
    await send(1);
    await vi.waitFor(() => expect(got).toEqual([1]), wait);
    expect(await sum('events_consumed_total', { outcome: 'retried' })).toBe(2);
  });

  test('goes on with its other partitions while it tries an event again, and keeps the order in that one', async () => {
    const got: number[] = [];
    let isFailing = true;
    const { sum, liveness } = startConsumer({
      async handle({ data }) {
        if (data.n === 1 && isFailing) throw new Error('the database is away');
        got.push(data.n);
      },
    });
    const retried = () => sum('events_consumed_total', { outcome: 'retried' });
    await sendTo(0, 1);
    await sendTo(0, 2);
    await vi.waitFor(async () => expect(await retried()).toBeGreaterThan(1), wait);
    await sendTo(1, 3);
    await vi.waitFor(() => expect(got).toEqual([3]), wait);
    expect((await liveness())?.status).toBe('UP');

    isFailing = false;
    await sendTo(0, 4);
    await vi.waitFor(() => expect(got).toEqual([3, 1, 2, 4]), wait);
  });

  test('handles what it fetched of several partitions at the same time', async () => {
    const got: number[] = [];
    let release = () => {};
    const released = new Promise<void>(resolve => {
      release = resolve;
    });
    await sendTo(0, 1);
    await sendTo(1, 2);
    startConsumer({
      async handle({ data }) {
        if (data.n === 1) await released;
        got.push(data.n);
        if (data.n === 2) release();
      },
    });
    await vi.waitFor(() => expect(got).toEqual([2, 1]), wait);
  });

  test('that is closed while it waits to try again has committed nothing of it', async () => {
    const first = startConsumer({
      async handle({ data }) {
        if (data.n === 2) throw new Error('the database is away');
      },
    });
    await send(1);
    await send(2);
    await send(3);
    await vi.waitFor(
      async () => expect(await first.sum('events_consumed_total', { outcome: 'retried' })).toBeGreaterThan(0),
      wait,
    );
    await first.consumer.close();
    const got: number[] = [];
    startConsumer({ handle: async ({ data }) => void got.push(data.n) });
    await vi.waitFor(() => expect(got).toEqual([2, 3]), wait);
  });

  test('that is closed has committed what it handled, and another goes on from there', async () => {
    const got: number[] = [];
    const handle = async ({ data }: { data: { n: number } }) => void got.push(data.n);
    const first = startConsumer({ handle });
    await send(1);
    await vi.waitFor(() => expect(got).toEqual([1]), wait);
    await first.consumer.close();
    await send(2);
    startConsumer({ handle });
    await vi.waitFor(() => expect(got).toEqual([1, 2]), wait);
  });

  test('tells how far its group is behind', async () => {
    await send(1, { subject: 'a' });
    await send(2, { subject: 'a' });
    let release = () => {};
    const released = new Promise<void>(resolve => {
      release = resolve;
    });
    const { sum, valuesOf } = startConsumer({
      handle: () => released,
      env: { KAFKA_STUCK_AFTER_MS: '3000' },
    });
    await vi.waitFor(async () => expect(await sum('events_consumer_lag')).toBe(2), wait);
    expect((await valuesOf('events_consumer_lag')).map(({ labels }) => labels)).toEqual(
      expect.arrayContaining([0, 1].map(partition => ({ topic, partition, group: 'group' }))),
    );
    release();
    await vi.waitFor(async () => expect(await sum('events_consumer_lag')).toBe(0), wait);
  });
});

describe('a consumer whose broker is away', () => {
  test('is alive, has no lag to tell, and goes on when the broker is back', async () => {
    const got: number[] = [];
    const { liveness, valuesOf } = startConsumer({
      handle: async ({ data }) => void got.push(data.n),
      env: { KAFKA_STUCK_AFTER_MS: '1500' },
    });
    await send(1);
    await vi.waitFor(() => expect(got).toEqual([1]), wait);
    await vi.waitFor(async () => expect(await valuesOf('events_consumer_lag')).toHaveLength(2), wait);
    const { port } = broker;
    await broker.close();
    await vi.waitFor(
      async () => expect(await liveness()).toMatchObject({ status: 'UNKNOWN', details: { broker: /./ } }),
      wait,
    );
    expect(await valuesOf('events_consumer_lag')).toEqual([]);
    // For longer than what would be stuck if the broker answered.
    for (const start = performance.now(); performance.now() - start < 3_000; await delay(100))
      expect((await liveness())?.status).toBe('UNKNOWN');

    await start(port);
    await send(2);
    // What was handled and could not be committed comes again.
    await vi.waitFor(() => expect([...new Set(got)]).toEqual([1, 2]), wait);
    await vi.waitFor(async () => expect((await liveness())?.status).toBe('UP'), wait);
  }, 40_000);
});

describe('a consumer that crashes', () => {
  test('is replaced, also after an error that kafkajs does not try again', async () => {
    // Who is in the group with another way to assign partitions keeps all others out.
    const other = kafka.consumer({
      groupId: 'group',
      maxWaitTimeInMs: 100,
      partitionAssigners: [
        () => ({
          name: 'Another',
          version: 1,
          assign: async ({ members }) =>
            members.map(({ memberId }) => ({
              memberId,
              memberAssignment: kafkajs.AssignerProtocol.MemberAssignment.encode({
                version: 1,
                assignment: {},
                userData: Buffer.alloc(0),
              }),
            })),
          protocol: ({ topics }) => ({
            name: 'Another',
            metadata: kafkajs.AssignerProtocol.MemberMetadata.encode({
              version: 1,
              topics,
              userData: Buffer.alloc(0),
            }),
          }),
        }),
      ],
    });
    let otherJoined = false;
    other.on(other.events.GROUP_JOIN, () => {
      otherJoined = true;
    });
    await other.connect();
    await other.subscribe({ topics: [topic] });
    await other.run({ eachMessage: async () => {} });
    await vi.waitFor(() => expect(otherJoined).toBe(true), wait);

    const got: number[] = [];
    const { sum } = startConsumer({ handle: async ({ data }) => void got.push(data.n) });
    await vi.waitFor(
      async () => expect(await sum('events_consumer_restarts_total')).toBeGreaterThanOrEqual(2),
      wait,
    );
    await send(1);
    await other.disconnect();
    await vi.waitFor(() => expect(got).toEqual([1]), wait);
  }, 40_000);
});

describe('a consumer that is stuck fails liveness', () => {
  test('when a handler does not end', async () => {
    let release = () => {};
    const { liveness } = startConsumer({
      handle: () => new Promise<void>(resolve => (release = resolve)),
      env: { KAFKA_STUCK_AFTER_MS: '1500' },
    });
    await vi.waitFor(async () => expect((await liveness())?.status).toBe('UP'), wait);
    await send(1);
    await vi.waitFor(async () => expect((await liveness())?.status).toBe('DOWN'), wait);
    release();
    await vi.waitFor(async () => expect((await liveness())?.status).toBe('UP'), wait);
  }, 30_000);

  test('when a rebalance does not end, because another member goes on without joining again', async () => {
    let isHoldingUp = false;
    let letGo = false;
    const other = kafka.consumer({ groupId: 'group', rebalanceTimeout: 60_000, maxWaitTimeInMs: 100 });
    await other.connect();
    await other.subscribe({ topics: [topic], fromBeginning: true });
    await other.run({
      async eachMessage({ heartbeat }) {
        isHoldingUp = true;
        while (!letGo) {
          await heartbeat().catch(() => {});
          await delay(200);
        }
      },
    });
    await send(1);
    await vi.waitFor(() => expect(isHoldingUp).toBe(true), wait);

    const { liveness } = startConsumer({ handle: async () => {}, env: { KAFKA_STUCK_AFTER_MS: '2000' } });
    await vi.waitFor(async () => expect((await liveness())?.status).toBe('DOWN'), wait);
    expect(await liveness()).toMatchObject({
      details: { error: expect.stringContaining('KAFKA_STUCK_AFTER_MS, 2000') },
    });

    letGo = true;
    await vi.waitFor(async () => expect((await liveness())?.status).toBe('UP'), wait);
    await other.disconnect();
  }, 40_000);
});
