import { setTimeout as delay } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import type { Random } from './random.ts';
import { connectKafka, eventTopic, readSince, type TopicEnd } from './topics.ts';

interface RepeatOptions {
  readonly kafkaBrokers: string;
  /** Where the topic ended before the first order. */
  readonly since: TopicEnd;
  readonly random: Random;
  readonly everyMs: number;
  readonly signal: AbortSignal;
}

/** Events that are put on the topic again at a time. */
const eventsAtOnce = 10;

/**
 * Puts events on the topic again every now and then, whatever has come after them, until it is told to end.
 *
 * @returns how many it surely did
 */
export async function repeatEvents(options: RepeatOptions): Promise<number> {
  const { kafkaBrokers, since, random, everyMs, signal } = options;
  const kafka = connectKafka({ kafkaBrokers });
  const producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
  let repeated = 0;
  try {
    for (;;) {
      await delay(everyMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) return repeated;
      try {
        const events = await readSince(kafka, eventTopic, since);
        if (events.length === 0) continue;
        const again = Array.from({ length: eventsAtOnce }, () => random.pick(events));
        await producer.connect();
        await producer.send({
          topic: eventTopic,
          messages: again.map(({ key, value, headers = {} }) => ({ key, value, headers })),
        });
        repeated += again.length;
      } catch {
        // The broker is away; the next turn tries again.
      }
    }
  } finally {
    await producer.disconnect();
  }
}
