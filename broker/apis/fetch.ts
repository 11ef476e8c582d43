import { type Reader, Writer } from '../codec.ts';
import { ErrorCode } from '../errors.ts';
import type { PartitionLog } from '../storage/partition-log.ts';
import { type Api, type BrokerState, noThrottleMs } from './api.ts';
import { mapPartitions, readTopics, type TopicPartitions, writeTopics } from './topic-partitions.ts';

interface FetchRequest {
  maxWaitMs: number;
  minBytes: number;
  /** For the whole response, except that its first batch may be larger. */
  maxBytes: number;
  topics: TopicPartitions<FetchPartition>[];
}

interface FetchPartition {
  index: number;
  offset: number;
  maxBytes: number;
}

interface FetchedPartition {
  index: number;
  error: ErrorCode;
  log: PartitionLog | undefined;
  records: Buffer;
}

/** A client may ask to wait for longer, but its connection could be gone by then. */
const maxWaitMs = 60_000;
/** Nor is a response ever larger than this; Apache Kafka's default for `fetch.max.bytes`. */
const maxResponseBytes = 55 * 1024 ** 2;
/** There are no fetch sessions: each request names all its partitions (KIP-227). */
const noSession = 0;
const noPreferredReplica = -1;
const noRecords = Buffer.alloc(0);

/** Reads record batches from offsets on, and waits a while where there are none yet. */
export const fetch: Api = {
  key: 1,
  name: 'Fetch',
  versions: [4, 11],
  async handle({ reader, version }, broker) {
    const request = readRequest(reader, version);
    await waitUntilReady(request, broker);
    const fetched = await readPartitions(request, broker);
    const writer = new Writer().int32(noThrottleMs);
    if (version >= 7) writer.int16(ErrorCode.NONE).int32(noSession);
    return writeTopics(writer, fetched, ({ index, error, log, records }) => {
      const highWatermark = log?.endOffset ?? -1;
      writer.int32(index).int16(error).int64(highWatermark);
      writer.int64(highWatermark); // The last stable offset: there are no transactions.
      if (version >= 5) writer.int64(log?.startOffset ?? -1);
      writer.array([], () => {}); // Aborted transactions.
      if (version >= 11) writer.int32(noPreferredReplica);
      writer.bytes(records);
    });
  },
};

function readRequest(reader: Reader, version: number): FetchRequest {
  reader.int32(); // Replica id.
  const [maxWaitMs, minBytes, maxBytes] = [reader.int32(), reader.int32(), reader.int32()];
  reader.int8(); // Isolation level.
  if (version >= 7) reader.int32(); // Session id.
  if (version >= 7) reader.int32(); // Session epoch.
  const topics = readTopics(reader, () => {
    const index = reader.int32();
    if (version >= 9) reader.int32(); // Leader epoch.
    const offset = reader.int64();
    if (version >= 5) reader.int64(); // The follower's log start offset.
    return { index, offset, maxBytes: reader.int32() };
  });
  return { maxWaitMs, minBytes, maxBytes, topics };
}

/** Resolves when there are `minBytes` to read, or something to report, or when there is no time left. */
async function waitUntilReady(request: FetchRequest, { topics, closing }: BrokerState): Promise<void> {
  const partitions = request.topics.flatMap(({ topic, partitions: wanted }) =>
    wanted.map(partition => ({ topic, ...partition })),
  );
  const isReady = () => {
    let readableBytes = 0;
    for (const { topic, index, offset, maxBytes } of partitions) {
      const log = topics.partition(topic, index);
      if (checkOffset(log, offset) !== ErrorCode.NONE) return true;
      readableBytes += log?.find(offset, maxBytes)?.bytes ?? 0;
    }
    return readableBytes >= request.minBytes;
  };
  if (isReady() || closing.aborted) return;
  await new Promise<void>(resolve => {
    // A partition may be named more than once.
    const logs = new Set(partitions.map(({ topic, index }) => topics.partition(topic, index)));
    const stopListening = [...logs].map(log => log?.onAppend(() => isReady() && finish()));
    const finish = () => {
      clearTimeout(timer);
      closing.removeEventListener('abort', finish);
      for (const stop of stopListening) stop?.();
      resolve();
    };
    const timer = setTimeout(finish, Math.min(request.maxWaitMs, maxWaitMs));
    closing.addEventListener('abort', finish);
  });
}

/** Reads the partitions, in their order, until the response is full. */
function readPartitions(
  request: FetchRequest,
  { topics, settings }: BrokerState,
): Promise<TopicPartitions<FetchedPartition>[]> {
  let bytesLeft = Math.min(request.maxBytes, maxResponseBytes);
  let isFirst = true;
  // What comes before the first `await` runs for one partition after another.
  return mapPartitions(request.topics, async (topic, { index, offset, maxBytes }) => {
    const log = topics.partition(topic, index);
    const error = checkOffset(log, offset);
    const limit = Math.min(maxBytes, bytesLeft);
    const range = error === ErrorCode.NONE ? log?.find(offset, limit) : undefined;
    // A batch over the limit is sent only as the first, so that no consumer comes to a standstill (KIP-74).
    if (!range || (range.bytes > limit && !isFirst)) return { index, error, log, records: noRecords };
    isFirst = false;
    bytesLeft -= range.bytes;
    try {
      return { index, error, log, records: await range.segment.read(range) };
    } catch (cause) {
      settings.log(`could not read ${topic}/${index}: ${(cause as Error).message}`);
      return { index, error: ErrorCode.KAFKA_STORAGE_ERROR, log, records: noRecords };
    }
  });
}

function checkOffset(log: PartitionLog | undefined, offset: number): ErrorCode {
  if (!log) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
  const isInRange = offset >= log.startOffset && offset <= log.endOffset;
  return isInRange ? ErrorCode.NONE : ErrorCode.OFFSET_OUT_OF_RANGE;
}
