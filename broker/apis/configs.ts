import { Writer } from '../codec.ts';
import { ErrorCode } from '../errors.ts';
import { type Api, type BrokerState, nodeId, noThrottleMs } from './api.ts';

const topicResource = 2;
const brokerResource = 4;

/** Sources of a setting, in the protocol's numbers. */
const Source = { TOPIC: 1, BROKER: 4, DEFAULT: 5 } as const;

interface ConfigEntry {
  name: string;
  value: string;
  source: number;
}

/** Tells the settings of topics and of the broker; they are given at creation or at start, and never change. */
export const describeConfigs: Api = {
  key: 32,
  name: 'DescribeConfigs',
  versions: [1, 2],
  handle({ reader }, broker) {
    const resources = reader.array(() => {
      const [type, name] = [reader.int8(), reader.string()];
      const wanted = reader.nullableArray(() => reader.string());
      const entries = describe(type, name, broker);
      return { type, name, entries, shown: entries?.filter(entry => wanted?.includes(entry.name) ?? true) };
    });
    const writer = new Writer().int32(noThrottleMs);
    return writer.array(resources, ({ type, name, shown }) => {
      writer.int16(shown ? ErrorCode.NONE : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION).string(null);
      writer.int8(type).string(name);
      writer.array(shown ?? [], entry => {
        writer.string(entry.name).string(entry.value);
        writer.boolean(true).int8(entry.source).boolean(false); // Read-only, and not sensitive.
        writer.array([], () => {}); // Synonyms.
      });
    });
  },
};

function describe(type: number, name: string, { topics, settings }: BrokerState): ConfigEntry[] | undefined {
  if (type === topicResource) {
    const configs = topics.get(name)?.configs;
    if (!configs) return undefined;
    return toEntries(topics.effectiveConfigs(configs), key =>
      key in configs ? Source.TOPIC : Source.DEFAULT,
    );
  }
  if (type !== brokerResource || name !== String(nodeId)) return undefined;
  const configs = {
    'auto.create.topics.enable': settings.autoCreateTopics,
    'log.retention.bytes': settings.retentionBytes,
    'log.segment.bytes': settings.segmentBytes,
    'message.max.bytes': settings.maxMessageBytes,
    'num.partitions': settings.defaultPartitions,
    'socket.request.max.bytes': settings.maxRequestBytes,
  };
  return toEntries(configs, () => Source.BROKER);
}

function toEntries(configs: Record<string, unknown>, sourceOf: (name: string) => number): ConfigEntry[] {
  return Object.entries(configs).map(([name, value]) => ({
    name,
    value: String(value),
    source: sourceOf(name),
  }));
}
