import { expect, test } from 'vitest';
import { loadConfig } from '../../platform/config.ts';
import { serviceSettings } from './service-settings.ts';

const withKafka = Object.entries(serviceSettings).filter(([, { shape }]) => 'KAFKA_BROKERS' in shape);

test.each(withKafka)('the settings of Kafka are checked by %s', (_name, settings) => {
  const env = {
    DATABASE_URL: 'postgresql://localhost/test',
    CALLER_SECRET: 'a secret of at least thirty-two characters',
    EUREKA_URL: 'http://localhost:8761/eureka',
  };
  expect(() => loadConfig(settings, env)).not.toThrow();
  expect(() => loadConfig(settings, { ...env, KAFKA_SASL_MECHANISM: 'plain' })).toThrow(
    /KAFKA_SASL_USERNAME.*KAFKA_SASL_PASSWORD/s,
  );
});
