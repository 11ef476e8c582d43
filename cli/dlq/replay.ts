import { setTimeout as delay } from 'node:timers/promises';
import type { Admin, Kafka } from 'kafkajs';
import type { EventProducer } from '../../platform/kafka/client.ts';
import type { DeadLetter } from '../../platform/kafka/dead-letters.ts';
import {
  type DeadLetterTopic,
  DlqError,
  type FoundLetter,
  readLetters,
  replayGroup,
} from './dead-letter-topic.ts';

/** Result of the replay of one dead-letter topic. */
export interface ReplayReport {
  /** Messages that were sent to their topic again. */
  readonly sent: number;
  /** Dead letters of a message that was sent already: several groups could not handle it. */
  readonly repetitions: number;
  /** Messages that do not say where they came from, and were left where they are. */
  readonly strangers: number;
}

interface ReplayOptions {
  readonly kafka: Kafka;
  readonly admin: Admin;
  readonly producer: EventProducer;
  readonly topic: DeadLetterTopic;
}

/** Longest wait for another replay, in ms: one that was killed is in its group until its session ends. */
const otherReplayMs = 15_000;

/**
 * Sends what is in a dead-letter topic to where it came from, with its keys and headers, and notes how far it got.
 *
 * @throws DlqError when another replay runs, or a topic that letters came from does not exist
 */
export async function replay({ kafka, admin, producer, topic }: ReplayOptions): Promise<ReplayReport> {
  await untilNobodyReplays(admin);
  const topics = new Set(await admin.listTopics());
  const seen = new Set<string>();
  const report = { sent: 0, repetitions: 0, strangers: 0 };

  async function sendLetters(letters: readonly FoundLetter[], commit: () => Promise<void>): Promise<void> {
    const known = letters.flatMap(({ letter }) => letter ?? []);
    const fresh = known.filter(letter => isFirst(letter, seen));
    for (const { topic: origin } of fresh)
      if (!topics.has(origin))
        throw new DlqError(`The topic '${origin}', from which dead letters came, does not exist`);
    for (const origin of new Set(fresh.map(letter => letter.topic))) {
      const ofOrigin = fresh.filter(letter => letter.topic === origin);
      await producer.send({ topic: origin, messages: ofOrigin.map(({ message }) => message) });
    }
    await commit();
    report.sent += fresh.length;
    report.repetitions += known.length - fresh.length;
    report.strangers += letters.length - known.length;
  }

  await readLetters({ kafka, groupId: replayGroup, topic, onLetters: sendLetters });
  return report;
}

function isFirst({ topic, partition, offset }: DeadLetter, seen: Set<string>): boolean {
  const place = `${topic}/${partition}@${offset}`;
  if (seen.has(place)) return false;
  seen.add(place);
  return true;
}

async function untilNobodyReplays(admin: Admin): Promise<void> {
  const deadlineMs = performance.now() + otherReplayMs;
  for (;;) {
    const { groups } = await admin.describeGroups([replayGroup]);
    if (groups.every(({ members }) => members.length === 0)) return;
    if (performance.now() > deadlineMs)
      throw new DlqError('Another replay is running; begin this one when it has ended');
    await delay(500);
  }
}
