import type { ProcessConfig } from '../config.ts';
import type { ProcessContext } from '../process.ts';
import { createKafka, createProducer } from './client.ts';
import { consume } from './consumer.ts';
import { deadLetterTopicOf } from './dead-letters.ts';
import type { EventHandlers } from './event-handlers.ts';
import type { KafkaConfig } from './settings.ts';

interface ConsumeEventsOptions {
  readonly topic: string;
  /** Handlers by event type; each is idempotent on the event's id. */
  readonly handlers: EventHandlers;
}

/**
 * Consumes the events of a topic until the process ends, with its dead-letter topic, its lag and its health. All instances
 * of a service share the work. The topics are made when they do not exist.
 */
export function consumeEvents(
  { name, config, log, metrics, health, scope }: ProcessContext<ProcessConfig & KafkaConfig>,
  { topic, handlers }: ConsumeEventsOptions,
): void {
  const kafka = createKafka(config, name, log);
  const deadLetters = scope.use(
    `dead-letter producer of ${topic}`,
    createProducer({ kafka, topics: [topic, deadLetterTopicOf(topic)], config, log }),
  );
  scope.use(
    `consumer of ${topic}`,
    consume({ kafka, config, groupId: name, topic, handlers, deadLetters, log, metrics, health }),
  );
}
