import { expect, test } from 'vitest';
import * as z from 'zod';
import { ConfigError, commaSeparated, durationMs, flag, loadConfig, port, urlSetting } from './config.ts';

const settings = z.object({
  PORT: port(4000),
  TIMEOUT_MS: durationMs(1_000),
  ENABLED: flag(true),
  BROKERS: commaSeparated(['a:1']),
  DATABASE_URL: urlSetting('postgresql:'),
});
const valid = { DATABASE_URL: 'postgresql://localhost/db' };

test('defaults are taken for what is unset or empty', () => {
  expect(loadConfig(settings, { ...valid, PORT: '', ENABLED: '' })).toEqual({
    PORT: 4000,
    TIMEOUT_MS: 1_000,
    ENABLED: true,
    BROKERS: ['a:1'],
    DATABASE_URL: 'postgresql://localhost/db',
  });
});

test('text is read as what the setting is', () => {
  const env = { ...valid, PORT: '81', TIMEOUT_MS: '5', ENABLED: 'false', BROKERS: ' a:1, b:2 ,' };
  expect(loadConfig(settings, env)).toMatchObject({
    PORT: 81,
    TIMEOUT_MS: 5,
    ENABLED: false,
    BROKERS: ['a:1', 'b:2'],
  });
});

test('every bad key is listed at once', () => {
  const env = { PORT: '70000', TIMEOUT_MS: 'soon', DATABASE_URL: 'http://localhost' };
  expect(() => loadConfig(settings, env)).toThrow(ConfigError);
  try {
    loadConfig(settings, env);
  } catch (error) {
    for (const key of ['PORT', 'TIMEOUT_MS', 'DATABASE_URL']) expect(String(error)).toContain(key);
    expect(String(error)).toContain(
      'expected a URL that begins with postgresql://, but got http://localhost',
    );
  }
});

test('the configuration cannot be changed', () => {
  const config = loadConfig(settings, valid) as { PORT: number };
  expect(() => {
    config.PORT = 1;
  }).toThrow(TypeError);
});
