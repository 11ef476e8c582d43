import { cp, rm } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Broker, startBroker } from '../../broker/server.ts';
import { makeTempDir } from '../../broker/testing.ts';
import { loadConfig } from '../config.ts';
import { createScope, type Scope } from '../lifecycle.ts';
import { silentLog } from '../log.ts';
import { createKafka, createProducer } from './client.ts';
import { kafkaSettings } from './settings.ts';

vi.setConfig({ testTimeout: 40_000 });
const topic = 'orders.events';

let dataDir: string;
let broker: Broker;
let scope: Scope;

beforeEach(async () => {
  dataDir = await makeTempDir();
  broker = await startBroker({ dataDir, port: 0 });
  scope = createScope(silentLog);
});
afterEach(async () => {
  await scope.close();
  await broker.close();
});

function startProducer(env: Record<string, string> = {}) {
  const config = loadConfig(kafkaSettings, {
    KAFKA_BROKERS: `127.0.0.1:${broker.port}`,
    KAFKA_TOPIC_PARTITIONS: '1',
    ...env,
  });
  const kafka = createKafka(config, 'test', silentLog);
  const producer = scope.use('producer', createProducer({ kafka, topics: [topic], config, log: silentLog }));
  const admin = kafka.admin();
  scope.defer('admin', () => admin.disconnect());
  return {
    admin,
    send: (value: string) => producer.send({ topic, messages: [{ key: 'a', value }] }),
    endOfTopic: async () => Number((await admin.fetchTopicOffsets(topic))[0]?.high),
  };
}

describe('a producer', () => {
  test('creates its topic with as many partitions as it is told', async () => {
    const { admin, send } = startProducer({ KAFKA_TOPIC_PARTITIONS: '5' });
    await send('1');
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    expect(topics[0]?.partitions).toHaveLength(5);
  });

  test('waits for a broker that is away, and sends nothing that was given up while it waited', async () => {
    const { send, endOfTopic } = startProducer();
    await send('before');
    const { port } = broker;
    await broker.close();
    const given = await Promise.allSettled(Array.from({ length: 10 }, (_, n) => send(String(n))));
    expect(String((given.at(-1) as PromiseRejectedResult).reason)).toContain(
      `Sending to '${topic}' took longer than 10000 ms`,
    );
    broker = await startBroker({ dataDir, port });
    await send('after');
    // One of them may have been on its way when it was given up.
    expect(await endOfTopic()).toBeLessThanOrEqual(3);
  });

  test('begins anew when the broker has lost its last records', async () => {
    const { send, endOfTopic } = startProducer();
    await send('1');
    const { port } = broker;
    await broker.close();
    const backup = await makeTempDir();
    await cp(dataDir, backup, { recursive: true });
    broker = await startBroker({ dataDir, port });
    await send('2');
    await send('3');
    expect(await endOfTopic()).toBe(3);
    await broker.close();
    await rm(dataDir, { recursive: true });
    await cp(backup, dataDir, { recursive: true });
    broker = await startBroker({ dataDir, port });

    await expect(send('4')).rejects.toThrow(/out of order/i);
    await send('4');
    expect(await endOfTopic()).toBe(2);
  });
});
