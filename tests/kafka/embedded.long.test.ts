import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type BrokerProcess, makeDataDir, startBrokerProcess } from './broker-process.ts';
import {
  createKafka,
  createTopic,
  readTopic,
  startAdmin,
  startMember,
  startProducer,
  uniqueName,
  until,
} from './clients.ts';
import { describeKafkaContract } from './contract.ts';

describe('the embedded broker', () => {
  let broker: BrokerProcess;
  let remove: () => Promise<void>;

  beforeAll(async () => {
    const data = await makeDataDir();
    remove = data.remove;
    broker = await startBrokerProcess({ KAFKA_DATA_DIR: data.dataDir, KAFKA_PORT: '0' });
  });

  afterAll(async () => {
    expect(await broker.end('SIGTERM')).toBe(0);
    expect(broker.output()).toBe(`kafka: the embedded broker is ready on 127.0.0.1:${broker.port}\n`);
    await remove();
  });

  describeKafkaContract('the embedded broker', () => [`127.0.0.1:${broker.port}`]);
});

/** Starts a broker for one test, that can be started again on the same data and the same port. */
async function startRestartable() {
  const { dataDir, remove } = await makeDataDir();
  let broker = await startBrokerProcess({ KAFKA_DATA_DIR: dataDir, KAFKA_PORT: '0' });
  const { port } = broker;
  onTestFinished(async () => {
    await broker.end('SIGKILL');
    await remove();
  });
  return {
    kafka: createKafka([`127.0.0.1:${port}`]),
    async restart(signal: NodeJS.Signals) {
      await broker.end(signal);
      broker = await startBrokerProcess({ KAFKA_DATA_DIR: dataDir, KAFKA_PORT: String(port) });
    },
  };
}

describe('the embedded broker, killed and started again', () => {
  test('has lost nothing that it acknowledged, and doubled nothing of an idempotent producer', async () => {
    const { kafka, restart } = await startRestartable();
    const topic = await createTopic(kafka, 2);
    const producer = await startProducer(kafka, { idempotent: true });
    let acknowledged = 0;
    let isProducing = true;
    const producing = (async () => {
      while (isProducing) {
        const messages = [0, 1].map(partition => ({ partition, value: String(acknowledged) }));
        await producer.send({ topic, messages });
        acknowledged++;
      }
    })();
    for (let kills = 0; kills < 4; kills++) {
      const target = acknowledged + 100;
      await until(() => acknowledged >= target, 'a hundred more messages to be acknowledged');
      await restart('SIGKILL');
    }
    const target = acknowledged + 100;
    await until(() => acknowledged >= target, 'a hundred more messages to be acknowledged');
    isProducing = false;
    await producing;
    const received = await readTopic(kafka, topic, 2 * acknowledged);
    for (const partition of [0, 1]) {
      const values = received
        .filter(message => message.partition === partition)
        .map(({ value }) => Number(value));
      expect(values).toEqual([...Array(acknowledged).keys()]);
    }
  });

  test.each<NodeJS.Signals>(['SIGKILL', 'SIGTERM'])(
    'by %s has kept topics, records and committed offsets',
    async signal => {
      const { kafka, restart } = await startRestartable();
      const topic = await createTopic(kafka, 2, { 'retention.bytes': '5000000' });
      const deleted = await createTopic(kafka);
      const producer = await startProducer(kafka);
      const admin = await startAdmin(kafka);
      await admin.deleteTopics({ topics: [deleted] });
      await producer.send({ topic, messages: ['a', 'b', 'c'].map(value => ({ partition: 1, value })) });
      const groupId = uniqueName('group');
      const member = await startMember(kafka, topic, { groupId });
      await until(() => member.received.length === 3, 'three messages');
      await member.consumer.commitOffsets([{ topic, partition: 1, offset: '2' }]);
      await member.consumer.stop();
      await restart(signal);
      expect(await admin.listTopics()).toEqual([topic]);
      expect(await admin.fetchOffsets({ groupId, topics: [topic] })).toMatchObject([
        { partitions: expect.arrayContaining([expect.objectContaining({ partition: 1, offset: '2' })]) },
      ]);
      const next = await startMember(kafka, topic, { groupId });
      await until(() => next.received.length === 1, 'the message after the committed offset');
      expect(String(next.received[0]?.value)).toBe('c');
    },
  );

  test('has its groups join again and go on', async () => {
    const { kafka, restart } = await startRestartable();
    const topic = await createTopic(kafka);
    const producer = await startProducer(kafka);
    const member = await startMember(kafka, topic);
    await producer.send({ topic, messages: [{ value: 'before' }] });
    await until(() => member.received.length === 1, 'the message before');
    await restart('SIGKILL');
    await producer.send({ topic, messages: [{ value: 'after' }] });
    await until(() => member.received.some(({ value }) => String(value) === 'after'), 'the message after');
  });
});

test('the embedded broker drops the oldest records, and a consumer goes on with the oldest that is kept', async () => {
  const { kafka } = await startRestartable();
  const topic = await createTopic(kafka, 1, { 'retention.bytes': '1000000' });
  const producer = await startProducer(kafka);
  const admin = await startAdmin(kafka);
  const groupId = uniqueName('group');
  const before = await startMember(kafka, topic, { groupId });
  await until(() => before.partitions().length === 1, 'the consumer to have the partition');
  await before.consumer.commitOffsets([{ topic, partition: 0, offset: '0' }]);
  await before.consumer.disconnect();
  const count = 40;
  const value = Buffer.alloc(900_000);
  for (let sent = 0; sent < count; sent++) await producer.send({ topic, messages: [{ value }] });
  const [{ low, high } = { low: '', high: '' }] = await admin.fetchTopicOffsets(topic);
  expect(Number(low)).toBeGreaterThan(0);
  expect(Number(high)).toBe(count);
  const after = await startMember(kafka, topic, { groupId });
  await until(() => after.received.length === count - Number(low), 'all records that are kept');
  expect(after.received[0]?.offset).toBe(low);
});

describe('the process of the embedded broker', () => {
  test('ends with the process that started it', async () => {
    const { dataDir, remove } = await makeDataDir();
    onTestFinished(remove);
    const broker = await startBrokerProcess({ KAFKA_DATA_DIR: dataDir, KAFKA_PORT: '0' });
    broker.child.disconnect();
    expect(await broker.exited).toBe(0);
  });

  test('ends at once with a clear message when its port is taken', async () => {
    const { dataDir, remove } = await makeDataDir();
    onTestFinished(remove);
    const broker = await startBrokerProcess({ KAFKA_DATA_DIR: dataDir, KAFKA_PORT: '0' });
    const second = startBrokerProcess({ KAFKA_DATA_DIR: dataDir, KAFKA_PORT: String(broker.port) });
    await expect(second).rejects.toThrow(
      `ended with 1: Port ${broker.port} of 127.0.0.1 is taken by another process`,
    );
    expect(await broker.end('SIGINT')).toBe(0);
  });

  test('ends at once with a message that names every setting that is wrong', async () => {
    const second = startBrokerProcess({ KAFKA_PORT: 'many', KAFKA_RETENTION_BYTES: '-1' });
    await expect(second).rejects.toThrow(/ended with 1: .*KAFKA_PORT.*KAFKA_RETENTION_BYTES/s);
  });
});
