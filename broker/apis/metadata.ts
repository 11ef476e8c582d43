import { Writer } from '../codec.ts';
import { ErrorCode } from '../errors.ts';
import type { PartitionLog } from '../storage/partition-log.ts';
import { type Api, type BrokerState, nodeId, noThrottleMs } from './api.ts';

const clusterId = 'portico-embedded';

interface TopicMetadata {
  name: string;
  error: ErrorCode;
  partitions: readonly PartitionLog[];
}

/** Tells where the broker is, which topics there are, and creates those asked for where that is allowed. */
export const metadata: Api = {
  key: 3,
  name: 'Metadata',
  versions: [4, 6],
  async handle({ reader, version }, broker) {
    const names = reader.nullableArray(() => reader.string());
    const mayCreate = reader.boolean() && broker.settings.autoCreateTopics;
    const topics: TopicMetadata[] = [];
    for (const name of names ?? broker.topics.list().map(topic => topic.name))
      topics.push(await describe(name, mayCreate, broker));

    const writer = new Writer().int32(noThrottleMs);
    writer.array([broker.advertised], ({ host, port }) =>
      writer.int32(nodeId).string(host).int32(port).string(null),
    );
    writer.string(clusterId).int32(nodeId);
    return writer.array(topics, ({ name, error, partitions }) => {
      writer.int16(error).string(name).boolean(false);
      writer.array([...partitions.keys()], index => {
        writer.int16(ErrorCode.NONE).int32(index).int32(nodeId);
        writer.array([nodeId], replica => writer.int32(replica));
        writer.array([nodeId], inSync => writer.int32(inSync));
        if (version >= 5) writer.array([], () => {}); // Offline replicas.
      });
    });
  },
};

async function describe(name: string, mayCreate: boolean, { topics }: BrokerState): Promise<TopicMetadata> {
  let error: ErrorCode = ErrorCode.NONE;
  if (!topics.get(name)) {
    error = mayCreate
      ? await topics.create({ name, partitionCount: -1, configs: {} })
      : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
    // Another client's request may have created it meanwhile.
    if (error === ErrorCode.TOPIC_ALREADY_EXISTS) error = ErrorCode.NONE;
  }
  return { name, error, partitions: topics.get(name)?.partitions ?? [] };
}
