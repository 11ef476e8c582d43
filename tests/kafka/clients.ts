import { randomUUID } from 'node:crypto';
import kafkajs, {
  type Admin,
  type Consumer,
  type ConsumerConfig,
  type Kafka,
  type KafkaMessage,
  type Producer,
  type ProducerConfig,
} from 'kafkajs';
import { onTestFinished, vi } from 'vitest';

/** A message as a consumer got it. */
export type Received = KafkaMessage & { partition: number };

/** Longest time that a test waits for what has to happen, in ms, before it fails. */
export const waitMs = 40_000;

/** Makes a client that tries again soon and logs nothing: some of these tests provoke errors. */
export function createKafka(brokers: string[]): Kafka {
  return new kafkajs.Kafka({
    clientId: 'contract',
    brokers,
    logLevel: kafkajs.logLevel.NOTHING,
    retry: { initialRetryTime: 50, maxRetryTime: 1000, retries: 60 },
  });
}

/** Makes a name that no other test uses. */
export function uniqueName(kind: string): string {
  return `${kind}-${randomUUID()}`;
}

/** Connects an admin client for the duration of the test. */
export async function startAdmin(kafka: Kafka): Promise<Admin> {
  const admin = kafka.admin();
  onTestFinished(() => admin.disconnect());
  await admin.connect();
  return admin;
}

/** Connects a producer for the duration of the test. */
export async function startProducer(kafka: Kafka, config: ProducerConfig = {}): Promise<Producer> {
  const producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner, ...config });
  onTestFinished(() => producer.disconnect());
  await producer.connect();
  return producer;
}

/** Creates a topic of its own for the test. @returns its name */
export async function createTopic(
  kafka: Kafka,
  numPartitions = 1,
  configs: Record<string, string> = {},
): Promise<string> {
  const topic = uniqueName('topic');
  const admin = await startAdmin(kafka);
  const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }));
  await admin.createTopics({ topics: [{ topic, numPartitions, configEntries }] });
  return topic;
}

/** A member of a consumer group that reads a topic from its beginning. */
export interface GroupMember {
  consumer: Consumer;
  /** Messages that it has read so far. */
  received: Received[];
  /** The partitions that it has now. */
  partitions(): number[];
}

/** Starts a member of a group for the duration of the test. */
export async function startMember(
  kafka: Kafka,
  topic: string,
  config: Partial<ConsumerConfig> = {},
): Promise<GroupMember> {
  const consumer = kafka.consumer({ groupId: uniqueName('group'), maxWaitTimeInMs: 200, ...config });
  const received: Received[] = [];
  let partitions: number[] = [];
  onTestFinished(() => consumer.disconnect());
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    partitions = payload.memberAssignment[topic] ?? [];
  });
  consumer.on(consumer.events.REBALANCING, () => {
    partitions = [];
  });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({
    eachBatch: async ({ batch }) => {
      received.push(...batch.messages.map(message => ({ ...message, partition: batch.partition })));
    },
  });
  return { consumer, received, partitions: () => partitions };
}

/** Reads the first `count` messages of a topic, as a group of its own. */
export async function readTopic(kafka: Kafka, topic: string, count: number): Promise<Received[]> {
  const { consumer, received } = await startMember(kafka, topic);
  await until(() => received.length >= count, `${count} messages of ${topic}`);
  await consumer.disconnect();
  return received;
}

/** Resolves when `condition` holds. @throws Error that names `what` when it does not in time */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  await vi.waitUntil(condition, { timeout: waitMs, interval: 20 }).catch(cause => {
    throw new Error(`the test expected ${what}, but got none within ${waitMs} ms`, { cause });
  });
}
