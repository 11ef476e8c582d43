import { setTimeout as delay } from 'node:timers/promises';
import { Registry } from 'prom-client';
import { expect, onTestFinished, test, vi } from 'vitest';
import * as z from 'zod';
import { loadConfig, processSettings } from '../../platform/config.ts';
import { HealthRegistry } from '../../platform/health.ts';
import { createKafka, createProducer } from '../../platform/kafka/client.ts';
import { consume } from '../../platform/kafka/consumer.ts';
import { deadLetterTopicOf } from '../../platform/kafka/dead-letters.ts';
import { eventHandler } from '../../platform/kafka/event-handlers.ts';
import { createEvent, toMessage } from '../../platform/kafka/events.ts';
import { kafkaSettings } from '../../platform/kafka/settings.ts';
import { createScope } from '../../platform/lifecycle.ts';
import { silentLog } from '../../platform/log.ts';
import { makeDataDir, startBrokerProcess } from '../kafka/broker-process.ts';
import { topic, wait } from './topic.ts';

/** Longest time that the consumers may be without progress, in ms. */
const stuckAfterMs = 2_000;

/** Starts a broker that can be frozen, and a consumer that has handled one event of it. */
async function startConsuming() {
  const { dataDir, remove } = await makeDataDir();
  const broker = await startBrokerProcess({ KAFKA_DATA_DIR: dataDir, KAFKA_PORT: '0' });
  const scope = createScope(silentLog);
  onTestFinished(async () => {
    broker.child.kill('SIGCONT');
    await scope.close();
    await broker.end('SIGKILL');
    await remove();
  });
  const config = loadConfig(kafkaSettings, {
    KAFKA_BROKERS: `127.0.0.1:${broker.port}`,
    KAFKA_STUCK_AFTER_MS: String(stuckAfterMs),
  });
  const kafka = createKafka(config, 'test', silentLog);
  const topics = [topic, deadLetterTopicOf(topic)];
  const producer = scope.use('producer', createProducer({ kafka, topics, config, log: silentLog }));
  const type = 'dev.portico.test.happened.v1';
  const got: unknown[] = [];
  const health = new HealthRegistry();
  const consumer = scope.use(
    'consumer',
    consume({
      kafka,
      config,
      groupId: 'group',
      topic,
      handlers: { [type]: eventHandler(z.object({ n: z.int() }), async ({ data }) => void got.push(data.n)) },
      deadLetters: producer,
      log: silentLog,
      metrics: new Registry(),
      health,
    }),
  );
  const liveness = async () => (await health.check('liveness')).components['kafka'];
  const send = (n: number) => {
    const event = createEvent({ type, source: '/test', subject: 'a', data: { n } });
    return producer.send({ topic, messages: [toMessage(event)] });
  };
  await send(1);
  await vi.waitFor(() => expect(got).toEqual([1]), wait);
  return { broker, consumer, got, liveness, send };
}

test('a consumer whose broker is frozen is alive for as long as that lasts, and goes on after it', async () => {
  const { broker, got, liveness, send } = await startConsuming();
  broker.child.kill('SIGSTOP');
  await vi.waitFor(async () => expect(await liveness()).toMatchObject({ details: { broker: /./ } }), wait);
  for (const start = performance.now(); performance.now() - start < 3 * stuckAfterMs; await delay(50))
    expect((await liveness())?.status).toBe('UNKNOWN');

  broker.child.kill('SIGCONT');
  await send(2);
  // What was handled and could not be committed comes again.
  await vi.waitFor(() => expect([...new Set(got)]).toEqual([1, 2]), wait);
  await vi.waitFor(async () => expect((await liveness())?.status).toBe('UP'), wait);
});

test('a consumer whose broker is frozen closes within the time that a process has for its end', async () => {
  const { broker, consumer, liveness } = await startConsuming();
  broker.child.kill('SIGSTOP');
  await vi.waitFor(async () => expect(await liveness()).toMatchObject({ details: { broker: /./ } }), wait);
  const startedAtMs = performance.now();
  await consumer.close();
  expect(performance.now() - startedAtMs).toBeLessThan(processSettings.parse({}).SHUTDOWN_TIMEOUT_MS / 2);
});
