import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
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

describe('a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'portico-test-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  function file(name: string, text: string): string {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  }

  function messageFor(env: Record<string, string>): string {
    try {
      return JSON.stringify(loadConfig(settings, env));
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigError);
      return (error as Error).message;
    }
  }

  test('may hold the value of a setting', () => {
    const env = { DATABASE_URL_FILE: file('url', 'postgresql://file/db\n'), PORT_FILE: file('port', '81') };
    expect(loadConfig(settings, { ...env, DATABASE_URL: '' })).toMatchObject({
      DATABASE_URL: 'postgresql://file/db',
      PORT: 81,
    });
  });

  test('is refused beside the value itself', () => {
    const message = messageFor({ ...valid, DATABASE_URL_FILE: file('url', 'postgresql://file/db') });
    expect(message).toContain('DATABASE_URL and DATABASE_URL_FILE are both set; unset one of them');
  });

  test('that is not there or is empty is named once, beside every other bad key', () => {
    const missing = join(folder, 'missing');
    const message = messageFor({ DATABASE_URL_FILE: missing, PORT_FILE: file('empty', '\n'), ENABLED: '?' });
    expect(message).toContain(`DATABASE_URL_FILE names ${missing}, which cannot be read: ENOENT`);
    expect(message).toContain(`PORT_FILE names ${join(folder, 'empty')}, which is empty`);
    expect(message).toContain('ENABLED');
    expect(message.match(/at DATABASE_URL/g)).toHaveLength(1);
  });

  test('whose value is wrong does not show it', () => {
    const message = messageFor({ DATABASE_URL_FILE: file('url', 'mysql://ada:secret@host/db') });
    expect(message).toContain('expected a URL that begins with postgresql://');
    expect(message).not.toContain('secret');
  });

  test('is no setting where the name of its variable is one', () => {
    const certificates = z.object({ KEY: z.string().optional(), KEY_FILE: z.string() });
    expect(loadConfig(certificates, { KEY_FILE: '/nowhere' })).toEqual({ KEY_FILE: '/nowhere' });
  });
});
