import { Writer } from '../codec.ts';
import { ErrorCode } from '../errors.ts';
import type { CommittedOffset } from '../storage/committed-offsets.ts';
import { type Api, type BrokerState, noThrottleMs } from './api.ts';
import { readTopics, type TopicPartitions, writeTopics } from './topic-partitions.ts';

/** As in Apache Kafka by default. */
const maxMetadataBytes = 4096;
const noOffset = -1;

/** Keeps how far a group has read; answered when it is written. */
export const offsetCommit: Api = {
  key: 8,
  name: 'OffsetCommit',
  versions: [5, 5],
  async handle({ reader }, broker) {
    const [groupId, generation, memberId] = [reader.string(), reader.int32(), reader.string()];
    const refusal = admit(groupId, memberId, generation, broker);
    const accepted: CommittedOffset[] = [];
    const results = readTopics(reader, () => ({
      partition: reader.int32(),
      offset: reader.int64(),
      metadata: reader.nullableString(),
    })).map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.map(committed => {
        const error = refusal || checkOffset(topic, committed, broker);
        if (error === ErrorCode.NONE) accepted.push({ groupId, topic, ...committed });
        return { index: committed.partition, error };
      }),
    }));
    await broker.offsets.commit(accepted);
    const writer = new Writer().int32(noThrottleMs);
    return writeTopics(writer, results, ({ index, error }) => writer.int32(index).int16(error));
  },
};

/** Tells how far a group has read the partitions asked for, or all that it has committed. */
export const offsetFetch: Api = {
  key: 9,
  name: 'OffsetFetch',
  versions: [3, 4],
  handle({ reader }, { offsets }) {
    const groupId = reader.string();
    const wanted = reader.nullableArray(() => {
      const topic = reader.string();
      return { topic, partitions: reader.array(() => ({ topic, partition: reader.int32() })) };
    });
    const writer = new Writer().int32(noThrottleMs);
    return writeTopics(writer, wanted ?? groupByTopic(offsets.ofGroup(groupId)), ({ topic, partition }) => {
      const committed = offsets.get(groupId, topic, partition);
      writer.int32(partition).int64(committed?.offset ?? noOffset);
      writer.string(committed?.metadata ?? '').int16(ErrorCode.NONE);
    }).int16(ErrorCode.NONE);
  },
};

/** Members commit in their generation; a client outside the group may while the group has no members. */
function admit(groupId: string, memberId: string, generation: number, { groups }: BrokerState): ErrorCode {
  const group = groups.get(groupId);
  if (group?.members.length) return group.admitCommit(memberId, generation);
  return generation < 0 ? ErrorCode.NONE : ErrorCode.ILLEGAL_GENERATION;
}

function checkOffset(
  topic: string,
  committed: { partition: number; metadata: string | null },
  { topics }: BrokerState,
) {
  if (!topics.partition(topic, committed.partition)) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
  const isTooLarge = Buffer.byteLength(committed.metadata ?? '') > maxMetadataBytes;
  return isTooLarge ? ErrorCode.OFFSET_METADATA_TOO_LARGE : ErrorCode.NONE;
}

function groupByTopic(offsets: readonly CommittedOffset[]): TopicPartitions<CommittedOffset>[] {
  const topics = [...new Set(offsets.map(({ topic }) => topic))];
  return topics.map(topic => ({ topic, partitions: offsets.filter(offset => offset.topic === topic) }));
}
