import kafkajs from 'kafkajs';
import { describe, expect, test } from 'vitest';
import { createKafka, createTopic, readTopic, startAdmin, startProducer, uniqueName } from '../clients.ts';

/** Tests of what an admin client does and asks. */
export function describeAdministration(brokers: () => string[]): void {
  describe('an admin client', () => {
    test('creates, lists, describes and deletes topics', async () => {
      const admin = await startAdmin(createKafka(brokers()));
      const topic = uniqueName('topic');
      const creation = {
        topics: [{ topic, numPartitions: 3, configEntries: [{ name: 'retention.bytes', value: '1000000' }] }],
      };
      expect(await admin.createTopics({ ...creation, validateOnly: true, waitForLeaders: false })).toBe(true);
      expect(await admin.listTopics()).not.toContain(topic);
      expect(await admin.createTopics(creation)).toBe(true);
      expect(await admin.createTopics(creation)).toBe(false);
      expect(await admin.listTopics()).toContain(topic);
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      expect(topics[0]?.partitions.map(({ partitionId }) => partitionId).sort()).toEqual([0, 1, 2]);
      const nodeIds = (await admin.describeCluster()).brokers.map(({ nodeId }) => nodeId);
      for (const { leader } of topics[0]?.partitions ?? []) expect(nodeIds).toContain(leader);
      await admin.deleteTopics({ topics: [topic] });
      expect(await admin.listTopics()).not.toContain(topic);
    });

    test.each([
      ['a name that is not allowed', { topic: 'not/allowed' }, 'INVALID_TOPIC_EXCEPTION'],
      ['no partitions', { topic: 'no-partitions', numPartitions: 0 }, 'INVALID_PARTITIONS'],
      [
        'more replicas than brokers',
        { topic: 'replicated', replicationFactor: 7 },
        'INVALID_REPLICATION_FACTOR',
      ],
      [
        'a setting of no sense',
        { topic: 'misconfigured', configEntries: [{ name: 'retention.bytes', value: 'much' }] },
        'INVALID_CONFIG',
      ],
    ])('creates no topic with %s', async (_, topic, type) => {
      const admin = await startAdmin(createKafka(brokers()));
      const creation = admin.createTopics({ topics: [topic] });
      await expect(creation).rejects.toMatchObject({ errors: [expect.objectContaining({ type })] });
    });

    test('reads the settings of a topic', async () => {
      const kafka = createKafka(brokers());
      const admin = await startAdmin(kafka);
      const name = await createTopic(kafka, 1, { 'retention.bytes': '1000000' });
      const configNames = ['retention.bytes', 'max.message.bytes'];
      const { TOPIC } = kafkajs.ConfigResourceTypes;
      const { resources } = await admin.describeConfigs({
        includeSynonyms: false,
        resources: [{ type: TOPIC, name, configNames }],
      });
      const entries = resources[0]?.configEntries.map(entry => [
        entry.configName,
        entry.configValue,
        entry.isDefault,
      ]);
      expect(entries?.sort()).toEqual([
        ['max.message.bytes', '1048588', true],
        ['retention.bytes', '1000000', false],
      ]);
    });

    test('finds where a partition begins and ends, and where it was at a time', async () => {
      const kafka = createKafka(brokers());
      const topic = await createTopic(kafka);
      const admin = await startAdmin(kafka);
      const producer = await startProducer(kafka);
      expect(await admin.fetchTopicOffsets(topic)).toEqual([
        { partition: 0, offset: '0', high: '0', low: '0' },
      ]);
      const start = Date.now() - 10_000;
      for (const second of [0, 1, 2]) {
        const timestamp = String(start + 1000 * second);
        await producer.send({ topic, messages: [{ value: timestamp, timestamp }] });
      }
      expect(await admin.fetchTopicOffsets(topic)).toEqual([
        { partition: 0, offset: '3', high: '3', low: '0' },
      ]);
      const offsetAt = async (time: number) =>
        (await admin.fetchTopicOffsetsByTimestamp(topic, time))[0]?.offset;
      expect(await offsetAt(start - 1)).toBe('0');
      expect(await offsetAt(start)).toBe('0');
      expect(await offsetAt(start + 1)).toBe('1');
      expect(await offsetAt(start + 2000)).toBe('2');
      expect(await offsetAt(start + 2001)).toBe('3');
    });

    test('finds nothing of a topic that was deleted in the one of the same name that follows', async () => {
      const kafka = createKafka(brokers());
      const topic = await createTopic(kafka);
      const admin = await startAdmin(kafka);
      await (await startProducer(kafka)).send({ topic, messages: [{ value: 'old' }] });
      await admin.deleteTopics({ topics: [topic] });
      await admin.createTopics({ topics: [{ topic }] });
      await (await startProducer(kafka)).send({ topic, messages: [{ value: 'new' }] });
      expect((await readTopic(kafka, topic, 1)).map(({ value }) => String(value))).toEqual(['new']);
    });
  });
}
