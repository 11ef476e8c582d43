import { readFileSync } from 'node:fs';
import type { KafkaConfig as ClientConfig } from 'kafkajs';
import * as z from 'zod';
import { commaSeparated, durationMs, flag, needsFit, readableFile, wholeNumber } from '../config.ts';

const address = /^[^\s:/]+:\d{1,5}$|^\[[0-9a-fA-F:]+\]:\d{1,5}$/;

/** Settings of a process that uses Kafka. {@link kafkaSettingsFit} checks that they fit together. */
export const kafkaSettings = z.object({
  KAFKA_BROKERS: commaSeparated(['127.0.0.1:9092'])
    .refine(brokers => brokers.length > 0 && brokers.every(broker => address.test(broker)), {
      error: issue => `expected host:port, comma-separated, but got '${String(issue.input)}'`,
    })
    .describe('Addresses of brokers, host:port, comma-separated.'),
  KAFKA_CLIENT_ID: z
    .string()
    .min(1)
    .optional()
    .describe("Name by which the broker's logs and quotas know this process; by default the service's."),
  KAFKA_TLS: flag(false).describe('Whether connections to the brokers are encrypted.'),
  KAFKA_TLS_CA_FILE: readableFile()
    .optional()
    .describe("Certificates (PEM) that sign the brokers'; without it Node's own list. Needs KAFKA_TLS."),
  KAFKA_TLS_CERT_FILE: readableFile()
    .optional()
    .describe('Certificate (PEM) of this client, for brokers that want one; with KAFKA_TLS_KEY_FILE.'),
  KAFKA_TLS_KEY_FILE: readableFile().optional().describe('Private key (PEM) of that certificate.'),
  KAFKA_SASL_MECHANISM: z
    .enum(['plain', 'scram-sha-256', 'scram-sha-512'])
    .optional()
    .describe('How this client signs in, if it does: plain, scram-sha-256, scram-sha-512.'),
  KAFKA_SASL_USERNAME: z.string().optional().describe('User that this client signs in as.'),
  KAFKA_SASL_PASSWORD: z.string().optional().describe('Password of that user.'),
  KAFKA_TOPIC_PARTITIONS: wholeNumber(3, { min: 1, max: 1_000 }).describe(
    'Partitions of a topic that is created.',
  ),
  KAFKA_TOPIC_REPLICATION: wholeNumber(1, { min: 1, max: 9 }).describe(
    'Replicas of a topic that is created.',
  ),
  KAFKA_STUCK_AFTER_MS: durationMs(60_000, { min: 1_000 }).describe(
    'Time without progress after which a consumer whose broker answers fails liveness.',
  ),
});
export type KafkaConfig = z.infer<typeof kafkaSettings>;

type Settings = { readonly [name in keyof KafkaConfig]: KafkaConfig[name] };

/** A check of a process's settings: those of Kafka that only make sense together are there together. */
export const kafkaSettingsFit = needsFit<Settings>([
  ['KAFKA_TLS_CA_FILE', 'KAFKA_TLS'],
  ['KAFKA_TLS_CERT_FILE', 'KAFKA_TLS'],
  ['KAFKA_TLS_CERT_FILE', 'KAFKA_TLS_KEY_FILE'],
  ['KAFKA_TLS_KEY_FILE', 'KAFKA_TLS_CERT_FILE'],
  ['KAFKA_SASL_MECHANISM', 'KAFKA_SASL_USERNAME'],
  ['KAFKA_SASL_MECHANISM', 'KAFKA_SASL_PASSWORD'],
  ['KAFKA_SASL_USERNAME', 'KAFKA_SASL_MECHANISM'],
  ['KAFKA_SASL_PASSWORD', 'KAFKA_SASL_MECHANISM'],
]);

/** The settings as kafkajs takes them: where the brokers are, and how to be let in. */
export function connectionOf(config: KafkaConfig): Pick<ClientConfig, 'brokers' | 'ssl' | 'sasl'> {
  const { KAFKA_BROKERS: brokers, KAFKA_TLS, KAFKA_SASL_MECHANISM: mechanism } = config;
  const { KAFKA_SASL_USERNAME: username = '', KAFKA_SASL_PASSWORD: password = '' } = config;
  return {
    brokers,
    ...(KAFKA_TLS ? { ssl: tlsOf(config) } : {}),
    ...(mechanism ? { sasl: { mechanism: mechanism as 'plain', username, password } } : {}),
  };
}

function tlsOf({ KAFKA_TLS_CA_FILE, KAFKA_TLS_CERT_FILE, KAFKA_TLS_KEY_FILE }: KafkaConfig) {
  const read = (path: string | undefined) => (path === undefined ? undefined : readFileSync(path, 'utf8'));
  const [ca, cert, key] = [KAFKA_TLS_CA_FILE, KAFKA_TLS_CERT_FILE, KAFKA_TLS_KEY_FILE].map(read);
  return { ...(ca ? { ca } : {}), ...(cert ? { cert } : {}), ...(key ? { key } : {}) };
}
