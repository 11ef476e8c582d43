import { Registry } from 'prom-client';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import * as z from 'zod';
import { loadConfig } from '../../platform/config.ts';
import { HealthRegistry } from '../../platform/health.ts';
import { createKafka, createProducer } from '../../platform/kafka/client.ts';
import { consume } from '../../platform/kafka/consumer.ts';
import { deadLetterTopicOf } from '../../platform/kafka/dead-letters.ts';
import { eventHandler } from '../../platform/kafka/event-handlers.ts';
import { createEvent, toMessage } from '../../platform/kafka/events.ts';
import { kafkaSettings, kafkaSettingsFit } from '../../platform/kafka/settings.ts';
import { silentLog } from '../../platform/log.ts';
import { startAdmin, uniqueName, waitMs } from './clients.ts';
import type { SecureListener } from './secure-listener.ts';

const given = process.env['KAFKA_SECURE_LISTENER'];
if (!given)
  console.log(
    'Skipped: TLS and sign-in, as KAFKA_SECURE_LISTENER names none (npm run test:kafka starts one)',
  );

describe.skipIf(!given)('a broker that wants TLS, a certificate and a sign-in', () => {
  const listener = JSON.parse(given ?? '{}') as SecureListener;
  const type = 'dev.portico.test.happened.v1';

  function configOf(env: Record<string, string> = {}) {
    return loadConfig(kafkaSettings.check(kafkaSettingsFit), {
      KAFKA_BROKERS: listener.address,
      KAFKA_TLS: 'true',
      KAFKA_TLS_CA_FILE: listener.caFile,
      KAFKA_TLS_CERT_FILE: listener.certFile,
      KAFKA_TLS_KEY_FILE: listener.keyFile,
      KAFKA_SASL_MECHANISM: 'scram-sha-512',
      KAFKA_SASL_USERNAME: listener.username,
      KAFKA_SASL_PASSWORD: listener.password,
      KAFKA_TOPIC_PARTITIONS: '2',
      ...env,
    });
  }

  test.each(['plain', 'scram-sha-256', 'scram-sha-512'])(
    'lets a service in by %s, which creates its topics, publishes and consumes',
    async mechanism => {
      const config = configOf({ KAFKA_SASL_MECHANISM: mechanism });
      const kafka = createKafka(config, 'secure-test', silentLog);
      const topic = uniqueName('topic');
      const topics = [topic, deadLetterTopicOf(topic)];
      const producer = createProducer({ kafka, topics, config, log: silentLog });
      onTestFinished(() => producer.close());
      await producer.connected;
      const got: unknown[] = [];
      const consumer = consume({
        kafka,
        config,
        groupId: uniqueName('group'),
        topic,
        handlers: { [type]: eventHandler(z.object({ n: z.int() }), async ({ data }) => void got.push(data)) },
        deadLetters: producer,
        log: silentLog,
        metrics: new Registry(),
        health: new HealthRegistry(),
      });
      onTestFinished(() => consumer.close());
      const event = createEvent({ type, source: '/test', subject: 'a', data: { n: 1 } });
      await producer.send({ topic, messages: [toMessage(event)] });
      await vi.waitFor(() => expect(got).toEqual([{ n: 1 }]), { timeout: waitMs });

      const { topics: metadata } = await (await startAdmin(kafka)).fetchTopicMetadata({ topics });
      expect(metadata.map(({ partitions }) => partitions.length)).toEqual([2, 2]);
    },
  );

  test.each([
    ['a wrong password', { KAFKA_SASL_PASSWORD: 'wrong' }, /authentication failed/i],
    [
      'a wrong user',
      { KAFKA_SASL_MECHANISM: 'plain', KAFKA_SASL_USERNAME: 'nobody' },
      /authentication failed/i,
    ],
    ['no certificate', { KAFKA_TLS_CERT_FILE: '', KAFKA_TLS_KEY_FILE: '' }, /certificate|closed|ECONNRESET/i],
    ['no trust in who signed its certificate', { KAFKA_TLS_CA_FILE: '' }, /unable to verify|self-signed/],
  ])('does not let in a service with %s', async (_case, env, reason) => {
    const kafka = createKafka(configOf(env), 'secure-test', silentLog, { retries: 0 });
    const admin = kafka.admin();
    onTestFinished(() => admin.disconnect());
    await expect(admin.connect()).rejects.toThrow(reason);
  });
});
