import { type Reader, Writer } from '../codec.ts';
import { ErrorCode } from '../errors.ts';
import type { NewTopic } from '../storage/topics.ts';
import { type Api, noThrottleMs } from './api.ts';

/** Creates topics, or only tells whether they could be created. */
export const createTopics: Api = {
  key: 19,
  name: 'CreateTopics',
  versions: [2, 4],
  async handle({ reader }, { topics }) {
    const wanted = reader.array(() => readNewTopic(reader));
    reader.int32(); // Timeout, for other brokers to hear of it.
    const isDryRun = reader.boolean();
    const results: { name: string; error: ErrorCode }[] = [];
    for (const topic of wanted) {
      const { name, replicationFactor } = topic;
      if (replicationFactor > 1) results.push({ name, error: ErrorCode.INVALID_REPLICATION_FACTOR });
      else results.push({ name, error: isDryRun ? topics.validate(topic) : await topics.create(topic) });
    }
    const writer = new Writer().int32(noThrottleMs);
    return writer.array(results, ({ name, error }) =>
      writer
        .string(name)
        .int16(error)
        .string(reasons[error] ?? null),
    );
  },
};

/** Deletes topics, with their records and what groups have committed for them. */
export const deleteTopics: Api = {
  key: 20,
  name: 'DeleteTopics',
  versions: [1, 3],
  async handle({ reader }, { topics, offsets }) {
    const names = reader.array(() => reader.string());
    const results: { name: string; error: ErrorCode }[] = [];
    for (const name of names) {
      results.push({ name, error: await topics.delete(name) });
      await offsets.forget(committed => committed.topic === name);
    }
    const writer = new Writer().int32(noThrottleMs);
    return writer.array(results, ({ name, error }) => writer.string(name).int16(error));
  },
};

const reasons: Partial<Record<ErrorCode, string>> = {
  [ErrorCode.INVALID_TOPIC_EXCEPTION]: 'A name must have 1 to 249 letters, digits, ".", "_" or "-".',
  [ErrorCode.TOPIC_ALREADY_EXISTS]: 'There is a topic of this name.',
  [ErrorCode.INVALID_PARTITIONS]: 'The number of partitions is out of bounds.',
  [ErrorCode.INVALID_REPLICATION_FACTOR]: 'There is one broker, so one replica.',
  [ErrorCode.INVALID_CONFIG]: 'retention.bytes and max.message.bytes must be whole numbers.',
};

function readNewTopic(reader: Reader): NewTopic & { replicationFactor: number } {
  const name = reader.string();
  const partitionCount = reader.int32();
  const replicationFactor = reader.int16();
  const assignments = reader.array(() => {
    reader.int32(); // Partition.
    return reader.array(() => reader.int32()).length;
  });
  const configs = reader.array(() => [reader.string(), reader.nullableString()] as const);
  return {
    name,
    partitionCount: assignments.length || partitionCount,
    replicationFactor: assignments.reduce((most, replicas) => Math.max(most, replicas), replicationFactor),
    configs: Object.fromEntries(configs.map(([key, value]) => [key, value ?? ''])),
  };
}
