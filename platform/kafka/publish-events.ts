import type { Pool } from 'pg';
import type { ProcessConfig } from '../config.ts';
import type { ProcessContext } from '../process.ts';
import { createKafka, createProducer } from './client.ts';
import { type OutboxRelay, startOutboxRelay } from './outbox.ts';
import type { KafkaConfig } from './settings.ts';

interface PublishEventsOptions {
  /** Pool of the database that has the table `outbox_events`. */
  readonly pool: Pool;
  /** Topics of the events; made when they do not exist. */
  readonly topics: readonly string[];
}

/**
 * Publishes the events of the service's outbox until the process ends. A transaction adds an event with `outboxRow`; wake
 * the relay that is returned when it has been committed.
 */
export function publishEvents(
  { name, config, log, metrics, scope }: ProcessContext<ProcessConfig & KafkaConfig>,
  { pool, topics }: PublishEventsOptions,
): OutboxRelay {
  const kafka = createKafka(config, name, log);
  const producer = scope.use('event producer', createProducer({ kafka, topics, config, log }));
  return scope.use('outbox relay', startOutboxRelay({ pool, producer, log, metrics }));
}
