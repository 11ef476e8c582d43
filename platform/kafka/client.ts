import kafkajs, { type Kafka, type Producer, type ProducerRecord, type RecordMetadata } from 'kafkajs';
import { pause } from '../backoff.ts';
import { withTimeout } from '../deadline.ts';
import { messageOf } from '../errors.ts';
import { type Closable, closeOnce } from '../lifecycle.ts';
import type { Logger } from '../log.ts';
import { stopIdlePolling } from './kafkajs-idle-timer.ts';
import { severityOf } from './kafkajs-log.ts';
import { connectionOf, type KafkaConfig } from './settings.ts';

stopIdlePolling();

interface KafkaOptions {
  /** Number of times that a request or connection is tried again before it fails. @default 8 */
  readonly retries?: number;
}

/** Makes a Kafka client of a service, whose log goes where ours goes. Nothing connects yet. */
export function createKafka(
  config: KafkaConfig,
  service: string,
  log: Logger,
  { retries = 8 }: KafkaOptions = {},
): Kafka {
  return new kafkajs.Kafka({
    clientId: config.KAFKA_CLIENT_ID ?? service,
    ...connectionOf(config),
    retry: { initialRetryTime: 100, maxRetryTime: 2_000, retries },
    logLevel: kafkajs.logLevel.WARN,
    logCreator: () => entry => {
      const { message, timestamp: _, logger: __, stack: ___, ...rest } = entry.log;
      log[severityOf(entry)]({ kafka: { namespace: entry.namespace, ...rest } }, `kafka: ${message}`);
    },
  });
}

/** Creates the topics that do not exist yet. */
async function ensureTopics(kafka: Kafka, topics: readonly string[], config: KafkaConfig): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const existing = new Set(await admin.listTopics());
    const missing = topics.filter(topic => !existing.has(topic));
    if (missing.length === 0) return;
    await admin.createTopics({
      waitForLeaders: true,
      topics: missing.map(topic => ({
        topic,
        numPartitions: config.KAFKA_TOPIC_PARTITIONS,
        replicationFactor: config.KAFKA_TOPIC_REPLICATION,
      })),
    });
  } finally {
    await admin.disconnect();
  }
}

/** Sends to Kafka. Closing it waits for what is in flight. */
export interface EventProducer extends Closable {
  /** Resolves when all in-sync replicas have the messages. @throws when they don't in time */
  readonly send: Producer['send'];
  /** Resolves when the topics exist and the broker is connected. */
  readonly connected: Promise<void>;
}

interface ProducerOptions {
  readonly kafka: Kafka;
  /** Topics that this producer sends to, or that its process reads; made when they do not exist. */
  readonly topics: readonly string[];
  readonly config: KafkaConfig;
  readonly log: Logger;
}

/** Longest time that a send may take in ms; kafkajs's idempotent producer would retry without end. */
const sendTimeoutMs = 10_000;
/** Time between two tries to connect, in ms. */
const reconnectMs = 1_000;

/** Errors after which the broker takes nothing more from a producer, until that has a new id. */
const lostSequence = new Set([
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'DUPLICATE_SEQUENCE_NUMBER',
  'UNKNOWN_PRODUCER_ID',
  'INVALID_PRODUCER_ID_MAPPING',
  'INVALID_PRODUCER_EPOCH',
  'PRODUCER_FENCED',
]);

/**
 * Makes an idempotent producer that waits for all in-sync replicas. It connects by itself, so that a process starts while
 * the broker is away; and it begins anew when the broker has lost track of it, as after a broker that lost its last
 * records, which kafkajs would never get over.
 */
export function createProducer({ kafka, topics, config, log }: ProducerOptions): EventProducer {
  const stop = new AbortController();
  let producer = createIdempotentProducer(kafka);

  async function connect(): Promise<void> {
    while (!stop.signal.aborted)
      try {
        await ensureTopics(kafka, topics, config);
        await producer.connect();
        return;
      } catch (error) {
        log.warn(`Connecting to Kafka failed and will be tried again: ${messageOf(error)}`);
        await pause(reconnectMs, stop.signal);
      }
  }

  const connected = connect();
  let previous: Promise<unknown> = connected;

  async function sendNow(record: ProducerRecord): Promise<RecordMetadata[]> {
    try {
      return await producer.send({ acks: -1, ...record });
    } catch (error) {
      if (stop.signal.aborted || !lostSequence.has((error as { type?: string }).type ?? '')) throw error;
      log.warn({ topic: record.topic }, `The producer begins anew: ${messageOf(error)}`);
      await producer.disconnect().catch(() => {});
      producer = createIdempotentProducer(kafka);
      await connect();
      throw error;
    }
  }

  // One at a time: when a connection breaks between two sends of an idempotent producer that are under way together,
  // kafkajs 2.2.4 may give the second the sequence number of the first, and the broker then drops it as a duplicate.
  async function sendInTurn(record: ProducerRecord): Promise<RecordMetadata[]> {
    let isGivenUp = false;
    // What the sender has given up it will send again: it must not come twice for each time that it waited in vain.
    const sent = previous.then(() => (isGivenUp ? [] : sendNow(record)));
    previous = sent.catch(() => {});
    try {
      return await withTimeout(sent, sendTimeoutMs, `Sending to '${record.topic}'`);
    } finally {
      isGivenUp = true;
    }
  }

  return {
    connected,
    send: sendInTurn,
    close: closeOnce(async () => {
      stop.abort();
      await producer.disconnect();
    }),
  };
}

function createIdempotentProducer(kafka: Kafka): Producer {
  return kafka.producer({
    idempotent: true,
    // An idempotent producer must never give a batch up and go on with the next; our own timeout tells the sender.
    retry: { retries: Number.MAX_SAFE_INTEGER },
    maxInFlightRequests: 1,
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  });
}
