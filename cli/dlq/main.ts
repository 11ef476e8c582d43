import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import type { Admin, Kafka } from 'kafkajs';
import { ConfigError, loadConfig } from '../../platform/config.ts';
import { withTimeout } from '../../platform/deadline.ts';
import { messageOf } from '../../platform/errors.ts';
import { createKafka, createProducer } from '../../platform/kafka/client.ts';
import { headersAsText } from '../../platform/kafka/events.ts';
import { type KafkaConfig, kafkaSettings, kafkaSettingsFit } from '../../platform/kafka/settings.ts';
import { silentLog } from '../../platform/log.ts';
import {
  DlqError,
  type FoundLetter,
  findDeadLetterTopics,
  readLetters,
  type Selection,
} from './dead-letter-topic.ts';
import { replay } from './replay.ts';

const usage = `usage: npm run dlq -- list|replay [--topic <topic>] [--all]

  list             shows the dead letters that wait: where they were, their type and id, the reason
  replay           sends them to their topics again
  --topic orders.events   only the dead letters of this topic
  --all            also those that were replayed before

Brokers and sign-in are those of the services: KAFKA_BROKERS, KAFKA_TLS…, KAFKA_SASL…; see .env.example.`;

/** Longest time until a broker answers, in ms. */
const connectTimeoutMs = 10_000;

interface Connection {
  readonly kafka: Kafka;
  readonly admin: Admin;
  readonly config: KafkaConfig;
}

async function connect(config: KafkaConfig): Promise<Connection> {
  const kafka = createKafka(config, 'dlq', silentLog, { retries: 1 });
  const admin = kafka.admin();
  try {
    await withTimeout(admin.connect(), connectTimeoutMs, 'Connecting');
  } catch (error) {
    throw new DlqError(
      `No broker of KAFKA_BROKERS, ${config.KAFKA_BROKERS.join(' or ')}, lets this client in: ${messageOf(error)}`,
      { cause: error },
    );
  }
  return { kafka, admin, config };
}

async function list({ kafka, admin }: Connection, selection: Selection): Promise<void> {
  let count = 0;
  for (const topic of await findDeadLetterTopics(admin, selection))
    await readLetters({
      kafka,
      groupId: `dead-letter-list-${randomUUID()}`,
      topic,
      async onLetters(letters) {
        count += letters.length;
        for (const letter of letters) console.log(describeLetter(topic.name, letter));
      },
    });
  console.log(`${lettersOf(count)}${selection.all ? '' : count === 1 ? ' waits' : ' wait'}.`);
}

function describeLetter(name: string, { partition, offset, letter }: FoundLetter): string {
  if (!letter)
    return `${name}/${partition}@${offset}  does not say where it came from; replay leaves it alone`;
  const { ce_type: type = '?', ce_id: id = '?' } = headersAsText(letter.message.headers ?? {});
  return [
    `${letter.topic}/${letter.partition}@${letter.offset}  could not be handled by ${letter.group} at ${letter.failedAt}`,
    `  type ${type}, id ${id}, key ${letter.message.key?.toString() ?? '(none)'}`,
    ...letter.reason.split('\n').map(line => `  ${line}`),
  ].join('\n');
}

async function replayAll({ kafka, admin, config }: Connection, selection: Selection): Promise<void> {
  const topics = await findDeadLetterTopics(admin, selection);
  const producer = createProducer({ kafka, topics: [], config, log: silentLog });
  try {
    let total = 0;
    for (const topic of topics) {
      const { sent, repetitions, strangers } = await replay({ kafka, admin, producer, topic });
      total += sent;
      const others = [
        repetitions > 0 ? `${repetitions} of other groups for the same messages` : '',
        strangers > 0 ? `${strangers} without an origin left alone` : '',
      ].filter(Boolean);
      console.log(`${topic.of}: ${[`${sent} sent again`, ...others].join(', ')}`);
    }
    console.log(`${lettersOf(total)} replayed.`);
  } finally {
    await producer.close();
  }
}

function lettersOf(count: number): string {
  return count === 0 ? 'No dead letters' : count === 1 ? '1 dead letter' : `${count} dead letters`;
}

const commands = { list, replay: replayAll };

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { topic: { type: 'string' }, all: { type: 'boolean', default: false } },
  });
  const [name = '', ...more] = positionals;
  if (!(name === 'list' || name === 'replay') || more.length > 0)
    throw new TypeError(`expected list or replay, but got '${positionals.join(' ')}'`);
  const connection = await connect(loadConfig(kafkaSettings.check(kafkaSettingsFit), process.env));
  try {
    await commands[name](connection, values);
  } finally {
    await connection.admin.disconnect();
  }
}

try {
  await main();
} catch (error) {
  // What `parseArgs` does not understand is a TypeError too.
  if (error instanceof TypeError) console.error(`${error.message}\n\n${usage}`);
  else if (error instanceof DlqError || error instanceof ConfigError) console.error(error.message);
  else console.error(`The dead letters could not be handled: ${messageOf(error)}`);
  process.exitCode = error instanceof TypeError ? 2 : 1;
}
// Whatever kafkajs still tries is not waited for.
process.exit();
