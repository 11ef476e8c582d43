import { once } from 'node:events';
import type { Admin, Kafka, KafkaMessage } from 'kafkajs';
import {
  type DeadLetter,
  deadLetterSuffix,
  deadLetterTopicOf,
  fromDeadLetter,
} from '../../platform/kafka/dead-letters.ts';

/** Consumer group whose offsets say how far the dead letters were replayed. */
export const replayGroup = 'dead-letter-replay';

/** A command that cannot be carried out. The message says why, for the operator. */
export class DlqError extends Error {
  override readonly name = 'DlqError';
}

/** Offsets to read of one partition, `from` (included) to `end` (not included). */
export interface Range {
  readonly partition: number;
  readonly from: bigint;
  readonly end: bigint;
}

/** A dead-letter topic, and what of it is to be read. */
export interface DeadLetterTopic {
  /** Name of the topic that the dead letters came from. */
  readonly of: string;
  readonly name: string;
  readonly ranges: readonly Range[];
}

/** Selection of dead letters. */
export interface Selection {
  /** Only those of this topic. */
  readonly topic?: string | undefined;
  /** Also those that were replayed before. */
  readonly all: boolean;
}

/** Finds the dead-letter topics, by name. @throws DlqError when the one that is asked for does not exist */
export async function findDeadLetterTopics(
  admin: Admin,
  { topic, all }: Selection,
): Promise<DeadLetterTopic[]> {
  const names = (await admin.listTopics()).filter(name => name.endsWith(deadLetterSuffix)).sort();
  if (topic !== undefined && !names.includes(deadLetterTopicOf(topic)))
    throw new DlqError(
      `--topic must be a topic with dead letters (${names.map(originalOf).join(', ') || 'there is none'}); it is '${topic}'`,
    );
  const wanted = topic === undefined ? names : [deadLetterTopicOf(topic)];
  return Promise.all(
    wanted.map(async name => ({ of: originalOf(name), name, ranges: await readRanges(admin, name, all) })),
  );
}

function originalOf(name: string): string {
  return name.slice(0, -deadLetterSuffix.length);
}

async function readRanges(admin: Admin, topic: string, all: boolean): Promise<Range[]> {
  const [bounds, [replayed]] = await Promise.all([
    admin.fetchTopicOffsets(topic),
    admin.fetchOffsets({ groupId: replayGroup, topics: [topic] }),
  ]);
  return bounds.map(({ partition, low, high }) => {
    const committed = replayed?.partitions.find(each => each.partition === partition)?.offset ?? '-1';
    // What is older than the oldest message is gone; -1 is a partition of which nothing was replayed yet.
    const from = all || BigInt(committed) < BigInt(low) ? BigInt(low) : BigInt(committed);
    return { partition, from, end: BigInt(high) };
  });
}

/** A dead letter, and where it is in its topic. */
export interface FoundLetter {
  readonly partition: number;
  readonly offset: string;
  /** Undefined for a message that does not say where it came from. */
  readonly letter: DeadLetter | undefined;
}

interface ReadOptions {
  readonly kafka: Kafka;
  readonly groupId: string;
  readonly topic: DeadLetterTopic;
  /** Gets the letters of one partition in their order, a batch at a time. Then `commit` notes them as replayed. */
  readonly onLetters: (letters: readonly FoundLetter[], commit: () => Promise<void>) => Promise<void>;
}

/** Longest time without another message, in ms, until reading is given up. */
const stalledMs = 30_000;

/** Reads the ranges of a dead-letter topic to their end. @throws when the broker goes away, or nothing more comes */
export async function readLetters({ kafka, groupId, topic, onLetters }: ReadOptions): Promise<void> {
  const open = new Map(
    topic.ranges.filter(({ from, end }) => from < end).map(each => [each.partition, each]),
  );
  if (open.size === 0) return;
  const consumer = kafka.consumer({
    groupId,
    sessionTimeout: 6_000,
    maxWaitTimeInMs: 200,
    // What is between two commits comes again after a kill.
    maxBytesPerPartition: 16 * 1024,
  });
  const done = new AbortController();
  const finished = once(done.signal, 'abort');
  let failed: (error: Error) => void = () => {};
  const failure = new Promise<never>((_, reject) => (failed = reject));
  failure.catch(() => {});
  const stalled = setTimeout(
    () => failed(new DlqError(`'${topic.name}' has more messages, and none came for ${stalledMs} ms`)),
    stalledMs,
  );
  consumer.on(consumer.events.CRASH, ({ payload }) => failed(payload.error));

  async function takeBatch(partition: number, messages: readonly KafkaMessage[]): Promise<void> {
    const range = open.get(partition);
    const wanted = messages.filter(
      ({ offset }) => range && BigInt(offset) >= range.from && BigInt(offset) < range.end,
    );
    const last = wanted.at(-1);
    if (!range || !last) return;
    const next = BigInt(last.offset) + 1n;
    await onLetters(
      wanted.map(message => ({ partition, offset: message.offset, letter: fromDeadLetter(message) })),
      () => consumer.commitOffsets([{ topic: topic.name, partition, offset: String(next) }]),
    );
    stalled.refresh();
    if (next < range.end) open.set(partition, { ...range, from: next });
    else open.delete(partition);
    if (open.size === 0) done.abort();
  }

  try {
    await consumer.connect();
    await consumer.subscribe({ topics: [topic.name], fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) =>
        takeBatch(batch.partition, batch.messages).catch(error => {
          failed(error as Error);
          throw error;
        }),
    });
    for (const { partition, from } of open.values())
      consumer.seek({ topic: topic.name, partition, offset: String(from) });
    await Promise.race([finished, failure]);
  } finally {
    clearTimeout(stalled);
    await consumer.disconnect();
  }
}
