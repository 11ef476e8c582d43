import kafkajs from 'kafkajs';
import { describe, expect, test } from 'vitest';
import {
  createKafka,
  createTopic,
  readTopic,
  startAdmin,
  startMember,
  startProducer,
  uniqueName,
  until,
} from '../clients.ts';

const numbered = (count: number) => [...Array(count).keys()];

/** Tests of what producers send and consumers read. */
export function describeProducing(brokers: () => string[]): void {
  describe('messages', () => {
    test('of one key keep their order', async () => {
      const kafka = createKafka(brokers());
      const topic = await createTopic(kafka, 3);
      const producer = await startProducer(kafka);
      const messages = numbered(300).map(number => ({ key: `key ${number % 7}`, value: String(number) }));
      for (let at = 0; at < messages.length; at += 30)
        await producer.send({ topic, messages: messages.slice(at, at + 30) });

      const received = await readTopic(kafka, topic, messages.length);
      expect(new Set(received.map(({ partition }) => partition)).size).toBe(3);
      for (const key of new Set(messages.map(message => message.key))) {
        const sent = messages.filter(message => message.key === key).map(({ value }) => value);
        const read = received
          .filter(message => String(message.key) === key)
          .map(({ value }) => String(value));
        expect(read).toEqual(sent);
      }
    });

    test.each([0, 1, -1])('are kept with acks=%i', async acks => {
      const kafka = createKafka(brokers());
      const topic = await createTopic(kafka);
      const producer = await startProducer(kafka);
      for (const value of ['a', 'b']) await producer.send({ topic, acks, messages: [{ value }] });
      const received = await readTopic(kafka, topic, 2);
      expect(received.map(({ offset, value }) => [offset, String(value)])).toEqual([
        ['0', 'a'],
        ['1', 'b'],
      ]);
    });

    test('of an idempotent producer are each kept once', async () => {
      const kafka = createKafka(brokers());
      const topic = await createTopic(kafka, 2);
      const producer = await startProducer(kafka, { idempotent: true });
      for (const number of numbered(20)) {
        const messages = [0, 1].map(partition => ({ partition, value: String(number) }));
        const results = await producer.send({ topic, messages });
        expect(results.map(({ baseOffset }) => baseOffset)).toEqual([String(number), String(number)]);
      }
      const received = await readTopic(kafka, topic, 40);
      for (const partition of [0, 1]) {
        const values = received
          .filter(message => message.partition === partition)
          .map(({ value }) => Number(value));
        expect(values).toEqual(numbered(20));
      }
    });

    test('that are compressed with gzip come back as they were', async () => {
      const kafka = createKafka(brokers());
      const topic = await createTopic(kafka);
      const producer = await startProducer(kafka);
      const values = numbered(100).map(number => `${number} ${'compressible '.repeat(50)}`);
      const messages = values.map(value => ({ value }));
      await producer.send({ topic, compression: kafkajs.CompressionTypes.GZIP, messages });
      await producer.send({ topic, messages: [{ value: 'plain' }] });
      const received = await readTopic(kafka, topic, 101);
      expect(received.map(({ value }) => String(value))).toEqual([...values, 'plain']);
    });

    test('keep keys, values and headers byte by byte, and nothing where there was nothing', async () => {
      const kafka = createKafka(brokers());
      const topic = await createTopic(kafka);
      const producer = await startProducer(kafka);
      const bytes = Buffer.from(numbered(256));
      const headers = { bytes, empty: Buffer.alloc(0), text: 'größer', several: [bytes, 'second'] };
      await producer.send({ topic, messages: [{ key: bytes, value: bytes, headers }, { value: null }] });
      const [full, empty] = await readTopic(kafka, topic, 2);
      expect(full).toMatchObject({ key: bytes, value: bytes });
      expect(full?.headers).toEqual({
        bytes,
        empty: Buffer.alloc(0),
        text: Buffer.from('größer'),
        several: [bytes, Buffer.from('second')],
      });
      expect(empty).toMatchObject({ key: null, value: null, headers: {} });
    });

    test('of 900 KB are taken, and of more only where the topic allows it', async () => {
      const kafka = createKafka(brokers());
      const producer = await startProducer(kafka, { retry: { retries: 0 } });
      const [standard, generous] = [
        await createTopic(kafka),
        await createTopic(kafka, 1, { 'max.message.bytes': String(4 * 1024 ** 2) }),
      ];
      const large = Buffer.alloc(900_000, 'l');
      const huge = Buffer.alloc(3_000_000, 'h');
      await producer.send({ topic: standard, messages: [{ value: large }] });
      await expect(producer.send({ topic: standard, messages: [{ value: huge }] })).rejects.toMatchObject({
        type: 'MESSAGE_TOO_LARGE',
      });
      await producer.send({ topic: generous, messages: [{ value: huge }] });
      expect((await readTopic(kafka, standard, 1))[0]?.value?.equals(large)).toBe(true);
      expect((await readTopic(kafka, generous, 1))[0]?.value?.equals(huge)).toBe(true);
    });

    test('to a topic that is not there create it', async () => {
      const kafka = createKafka(brokers());
      const topic = uniqueName('topic');
      const producer = await startProducer(kafka);
      await producer.send({ topic, messages: [{ value: 'first' }] });
      expect(String((await readTopic(kafka, topic, 1))[0]?.value)).toBe('first');
      expect(await (await startAdmin(kafka)).listTopics()).toContain(topic);
    });

    test('reach a consumer that waits for them at once', async () => {
      const kafka = createKafka(brokers());
      const topic = await createTopic(kafka);
      const maxWaitTimeInMs = 5000;
      const { received, partitions } = await startMember(kafka, topic, { maxWaitTimeInMs });
      await until(() => partitions().length === 1, 'the consumer to have the partition');
      const producer = await startProducer(kafka);
      for (let count = 1; count <= 3; count++) {
        const sentAt = performance.now();
        await producer.send({ topic, messages: [{ value: 'now' }] });
        await until(() => received.length === count, 'the message');
        expect(performance.now() - sentAt).toBeLessThan(maxWaitTimeInMs / 2);
      }
    });

    test('come through 50,000 at a time, and how fast is printed', async () => {
      const kafka = createKafka(brokers());
      const topic = await createTopic(kafka, 3);
      const producer = await startProducer(kafka);
      const count = 50_000;
      const messages = numbered(1000).map(number => ({ key: String(number), value: 'x'.repeat(100) }));
      const start = performance.now();
      for (let sent = 0; sent < count; sent += messages.length) await producer.send({ topic, messages });
      const producedMs = performance.now() - start;
      const received = await readTopic(kafka, topic, count);
      const totalMs = performance.now() - start;
      expect(received).toHaveLength(count);
      console.log(
        `${count} messages of 100 bytes: produced in ${producedMs.toFixed(0)} ms, read after ${totalMs.toFixed(0)} ms`,
      );
    });
  });
}
