import type { EachMessagePayload, IHeaders, KafkaMessage, Message } from 'kafkajs';
import { headersAsText } from './events.ts';

/** End of the name of a dead-letter topic. */
export const deadLetterSuffix = '.dlq';

/** Name of the topic that takes what a topic's consumers could not handle. */
export function deadLetterTopicOf(topic: string): string {
  return `${topic}${deadLetterSuffix}`;
}

/** Headers that a dead letter has beside those of the message. */
export const deadLetterHeaders = {
  reason: 'dlq-reason',
  topic: 'dlq-original-topic',
  partition: 'dlq-original-partition',
  offset: 'dlq-original-offset',
  group: 'dlq-consumer-group',
  failedAt: 'dlq-failed-at',
} as const;

/** A message that could not be handled. */
export interface DeadLetter {
  readonly reason: string;
  /** Place of the message: topic, partition, offset. */
  readonly topic: string;
  readonly partition: string;
  readonly offset: string;
  /** Consumer group that could not handle it. */
  readonly group: string;
  /** RFC 3339. */
  readonly failedAt: string;
  /** The message as it was. */
  readonly message: Message;
}

/** Writes a dead letter: the message as it came, byte for byte, with headers that say why and whence. */
export function toDeadLetter(
  { topic, partition, message }: Pick<EachMessagePayload, 'topic' | 'partition' | 'message'>,
  { reason, group }: Pick<DeadLetter, 'reason' | 'group'>,
): Message {
  return {
    key: message.key,
    value: message.value,
    headers: {
      ...message.headers,
      [deadLetterHeaders.reason]: reason,
      [deadLetterHeaders.topic]: topic,
      [deadLetterHeaders.partition]: String(partition),
      [deadLetterHeaders.offset]: message.offset,
      [deadLetterHeaders.group]: group,
      [deadLetterHeaders.failedAt]: new Date().toISOString(),
    },
  };
}

const ownHeaders = new Set<string>(Object.values(deadLetterHeaders));

/** Reads a dead letter. Undefined for a message that does not say where it came from. */
export function fromDeadLetter({
  key,
  value,
  headers = {},
}: Pick<KafkaMessage, 'key' | 'value' | 'headers'>): DeadLetter | undefined {
  const text = headersAsText(headers);
  const said = (header: string) => text[header] ?? '';
  const topic = said(deadLetterHeaders.topic);
  if (!topic) return undefined;
  const original: IHeaders = Object.fromEntries(
    Object.entries(headers).filter(([name]) => !ownHeaders.has(name)),
  );
  return {
    topic,
    reason: said(deadLetterHeaders.reason),
    partition: said(deadLetterHeaders.partition),
    offset: said(deadLetterHeaders.offset),
    group: said(deadLetterHeaders.group),
    failedAt: said(deadLetterHeaders.failedAt),
    message: { key, value, headers: original },
  };
}
