import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import kafkajs, { type Kafka, type KafkaMessage } from 'kafkajs';
import { deadLetterTopicOf } from '../../platform/kafka/dead-letters.ts';
import { consumerGroups } from './checks/messages.ts';

/** Topic of the orders' events, and of those that could not be handled; see docs/events.md. */
export const eventTopic = 'orders.events';
export const deadLetterTopic = deadLetterTopicOf(eventTopic);

/** Offset at which each partition ends. */
export type TopicEnd = ReadonlyMap<number, bigint>;

/** Brokers that a client connects to. */
export interface Brokers {
  readonly kafkaBrokers: string;
  /** Addresses of brokers whose names this machine does not know. */
  readonly brokerAddresses?: Readonly<Record<string, string>>;
}

/** Makes a client that tries until the broker is back, and logs nothing. */
export function connectKafka({ kafkaBrokers, brokerAddresses = {} }: Brokers): Kafka {
  return new kafkajs.Kafka({
    clientId: 'chaos',
    brokers: kafkaBrokers.split(','),
    logLevel: kafkajs.logLevel.NOTHING,
    socketFactory: ({ host, port, onConnect }) =>
      connect({ host: brokerAddresses[host] ?? host, port, keepAlive: true }, onConnect),
    retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 30 },
  });
}

/** Where a topic ends now. */
export async function endOf(kafka: Kafka, topic: string): Promise<TopicEnd> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    return new Map(
      (await admin.fetchTopicOffsets(topic)).map(({ partition, high }) => [partition, BigInt(high)]),
    );
  } finally {
    await admin.disconnect();
  }
}

/** Messages of the event topic that each consumer group has not handled yet. */
export async function lagByGroup(kafka: Kafka): Promise<Map<string, bigint>> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const ends = await admin.fetchTopicOffsets(eventTopic);
    const lags = new Map<string, bigint>();
    for (const groupId of consumerGroups) {
      const [committed] = await admin.fetchOffsets({ groupId, topics: [eventTopic] });
      const lag = ends.reduce((sum, { partition, high, low }) => {
        const offset = BigInt(committed?.partitions.find(each => each.partition === partition)?.offset ?? -1);
        return sum + BigInt(high) - (offset < 0n ? BigInt(low) : offset);
      }, 0n);
      lags.set(groupId, lag);
    }
    return lags;
  } finally {
    await admin.disconnect();
  }
}

/** Longest time for a topic to be read, in ms. */
const readTimeoutMs = 30_000;

/**
 * Reads what a topic has got since it ended as given; the messages of a partition in their order.
 *
 * @throws Error when the broker does not give them in time
 */
export async function readSince(kafka: Kafka, topic: string, since: TopicEnd): Promise<KafkaMessage[]> {
  const end = await endOf(kafka, topic);
  const missing = new Set(
    [...end]
      .filter(([partition, offset]) => offset > (since.get(partition) ?? 0n))
      .map(([partition]) => partition),
  );
  const messages: KafkaMessage[] = [];
  if (missing.size === 0) return messages;
  let timer: NodeJS.Timeout | undefined;
  const consumer = kafka.consumer({ groupId: `chaos-${randomUUID()}`, maxWaitTimeInMs: 200 });
  try {
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      timer = setTimeout(
        () => reject(new Error(`'${topic}' expected to be read within ${readTimeoutMs} ms, but was not`)),
        readTimeoutMs,
      );
      consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
      consumer
        .run({
          eachMessage: async ({ partition, message }) => {
            const offset = BigInt(message.offset);
            if (offset >= (since.get(partition) ?? 0n) && offset < (end.get(partition) ?? 0n))
              messages.push(message);
            if (offset + 1n >= (end.get(partition) ?? 0n)) missing.delete(partition);
            if (missing.size === 0) resolve();
          },
        })
        .catch(reject);
    });
  } finally {
    clearTimeout(timer);
    await consumer.disconnect();
  }
  return messages;
}
