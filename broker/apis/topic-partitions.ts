import type { Reader, Writer } from '../codec.ts';

/** Grouping of partitions that many requests and responses share. */
export interface TopicPartitions<P> {
  topic: string;
  partitions: P[];
}

/** Reads an array of topics with an array of partitions each. */
export function readTopics<P>(reader: Reader, readPartition: () => P): TopicPartitions<P>[] {
  return reader.array(() => ({ topic: reader.string(), partitions: reader.array(readPartition) }));
}

/** Writes an array of topics with an array of partitions each. */
export function writeTopics<P>(
  writer: Writer,
  topics: readonly TopicPartitions<P>[],
  writePartition: (partition: P) => unknown,
): Writer {
  return writer.array(topics, ({ topic, partitions }) =>
    writer.string(topic).array(partitions, writePartition),
  );
}

/** Does something for every partition at once, and groups the results in the same way. */
export function mapPartitions<P, R>(
  topics: readonly TopicPartitions<P>[],
  map: (topic: string, partition: P) => R | Promise<R>,
): Promise<TopicPartitions<R>[]> {
  return Promise.all(
    topics.map(async ({ topic, partitions }) => ({
      topic,
      partitions: await Promise.all(partitions.map(partition => map(topic, partition))),
    })),
  );
}
