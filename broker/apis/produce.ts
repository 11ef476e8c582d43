import { Writer } from '../codec.ts';
import { ErrorCode } from '../errors.ts';
import type { PartitionLog } from '../storage/partition-log.ts';
import { type Api, noThrottleMs } from './api.ts';
import { mapPartitions, readTopics, writeTopics } from './topic-partitions.ts';

const noAcks = 0;
const validAcks = [-1, noAcks, 1];
/** Told for timestamps that the producer chose, not the broker. */
const noLogAppendTime = -1;

/** Appends record batches. They are acknowledged when written, for any `acks` but 0: there are no replicas to wait for. */
export const produce: Api = {
  key: 0,
  name: 'Produce',
  versions: [3, 7],
  async handle({ reader, version }, { topics, settings }) {
    reader.nullableString(); // Transactional id; transactional batches are refused one by one.
    const acks = reader.int16();
    reader.int32(); // Timeout, for replicas.
    const batches = readTopics(reader, () => ({ index: reader.int32(), records: reader.nullableBytes() }));
    const results = await mapPartitions(batches, async (topic, { index, records }) => {
      const log = topics.partition(topic, index);
      const refusal = refuse(acks, log, records);
      if (refusal !== ErrorCode.NONE || !log || !records)
        return { index, error: refusal, baseOffset: -1, startOffset: -1 };

      const result = await log.append(records).catch((cause: Error) => {
        settings.log(`could not write to ${topic}/${index}: ${cause.message}`);
        return { error: ErrorCode.KAFKA_STORAGE_ERROR, baseOffset: -1 };
      });
      return { index, ...result, startOffset: log.startOffset };
    });
    if (acks === noAcks) return undefined;
    const writer = new Writer();
    return writeTopics(writer, results, ({ index, error, baseOffset, startOffset }) => {
      writer.int32(index).int16(error).int64(baseOffset).int64(noLogAppendTime);
      if (version >= 5) writer.int64(startOffset);
    }).int32(noThrottleMs);
  },
};

function refuse(acks: number, log: PartitionLog | undefined, records: Buffer | null): ErrorCode {
  if (!validAcks.includes(acks)) return ErrorCode.INVALID_REQUIRED_ACKS;
  if (!log) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
  return records ? ErrorCode.NONE : ErrorCode.INVALID_RECORD;
}
