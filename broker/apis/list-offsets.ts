import { Writer } from '../codec.ts';
import { ErrorCode } from '../errors.ts';
import type { PartitionLog } from '../storage/partition-log.ts';
import { type Api, noThrottleMs } from './api.ts';
import { mapPartitions, readTopics, writeTopics } from './topic-partitions.ts';

/** Timestamps that mean the end and the beginning of a partition. */
const latest = -1;
const earliest = -2;
const none = -1;

/** Finds offsets by time: those of whole batches, as records stay opaque; so what is read may begin a bit early. */
export const listOffsets: Api = {
  key: 2,
  name: 'ListOffsets',
  versions: [1, 3],
  async handle({ reader, version }, { topics }) {
    reader.int32(); // Replica id.
    if (version >= 2) reader.int8(); // Isolation level.
    const wanted = readTopics(reader, () => ({ index: reader.int32(), timestamp: reader.int64() }));
    const found = await mapPartitions(wanted, (topic, { index, timestamp }) => {
      const log = topics.partition(topic, index);
      if (!log) return { index, error: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, timestamp: none, offset: none };
      return { index, error: ErrorCode.NONE, ...findOffset(log, timestamp) };
    });
    const writer = new Writer();
    if (version >= 2) writer.int32(noThrottleMs);
    return writeTopics(writer, found, ({ index, error, timestamp, offset }) =>
      writer.int32(index).int16(error).int64(timestamp).int64(offset),
    );
  },
};

function findOffset(log: PartitionLog, timestamp: number): { timestamp: number; offset: number } {
  if (timestamp === latest) return { timestamp: none, offset: log.endOffset };
  if (timestamp === earliest) return { timestamp: none, offset: log.startOffset };
  const batch = log.findTimestamp(timestamp);
  return { timestamp: batch?.maxTimestamp ?? none, offset: batch?.baseOffset ?? none };
}
