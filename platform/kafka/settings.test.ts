import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadConfig } from '../config.ts';
import { connectionOf, kafkaSettings, kafkaSettingsFit } from './settings.ts';

let folder = '';
const file = (name: string) => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kafka-settings-'));
  for (const name of ['ca', 'cert', 'key']) writeFileSync(file(name), `the ${name}`);
});
afterAll(() => rm(folder, { recursive: true }));

const load = (env: Record<string, string>) => loadConfig(kafkaSettings.check(kafkaSettingsFit), env);

describe('the settings of Kafka', () => {
  test('connect to one broker on this machine by default, without encryption and sign-in', () => {
    expect(connectionOf(load({}))).toEqual({ brokers: ['127.0.0.1:9092'] });
  });

  test('name several brokers, what to trust, and who signs in', () => {
    const config = load({
      KAFKA_BROKERS: 'a.example:9093, b.example:9093,[::1]:9093',
      KAFKA_TLS: 'true',
      KAFKA_TLS_CA_FILE: file('ca'),
      KAFKA_TLS_CERT_FILE: file('cert'),
      KAFKA_TLS_KEY_FILE: file('key'),
      KAFKA_SASL_MECHANISM: 'scram-sha-512',
      KAFKA_SASL_USERNAME: 'orders',
      KAFKA_SASL_PASSWORD: 'secret',
    });
    expect(connectionOf(config)).toEqual({
      brokers: ['a.example:9093', 'b.example:9093', '[::1]:9093'],
      ssl: { ca: 'the ca', cert: 'the cert', key: 'the key' },
      sasl: { mechanism: 'scram-sha-512', username: 'orders', password: 'secret' },
    });
  });

  test('encrypt with what Node trusts when no certificates are given', () => {
    expect(connectionOf(load({ KAFKA_TLS: 'yes' })).ssl).toEqual({});
  });

  test.each([
    [{ KAFKA_BROKERS: 'localhost' }, /KAFKA_BROKERS/],
    [{ KAFKA_BROKERS: 'http://localhost:9092' }, /KAFKA_BROKERS/],
    [{ KAFKA_BROKERS: ',' }, /KAFKA_BROKERS/],
    [{ KAFKA_SASL_MECHANISM: 'gssapi' }, /plain.*scram-sha-256.*scram-sha-512.*KAFKA_SASL_MECHANISM/s],
    [
      { KAFKA_SASL_MECHANISM: 'plain', KAFKA_SASL_USERNAME: 'orders' },
      /because KAFKA_SASL_MECHANISM is set, but got none\s+→ at KAFKA_SASL_PASSWORD/,
    ],
    [
      { KAFKA_SASL_USERNAME: 'orders', KAFKA_SASL_PASSWORD: 'secret' },
      /because KAFKA_SASL_USERNAME is set, but got none\s+→ at KAFKA_SASL_MECHANISM/,
    ],
    [
      { KAFKA_TLS: 'true', KAFKA_TLS_CA_FILE: '/nowhere/ca.pem' },
      /file that can be read, but got \/nowhere\/ca.pem\s+→ at KAFKA_TLS_CA_FILE/,
    ],
    [{ KAFKA_TOPIC_REPLICATION: '0' }, /KAFKA_TOPIC_REPLICATION/],
  ])('refuse %o', (env, message) => {
    expect(() => load(env)).toThrow(message);
  });

  test('refuse a file of TLS without TLS, and a certificate without its key', () => {
    expect(() => load({ KAFKA_TLS_CA_FILE: file('ca') })).toThrow(
      /because KAFKA_TLS_CA_FILE is set, but got none\s+→ at KAFKA_TLS/,
    );
    expect(() => load({ KAFKA_TLS: '1', KAFKA_TLS_CERT_FILE: file('cert') })).toThrow(
      /because KAFKA_TLS_CERT_FILE is set, but got none\s+→ at KAFKA_TLS_KEY_FILE/,
    );
  });
});
