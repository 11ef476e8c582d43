import { isAbsolute, relative } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import type * as z from 'zod';
import { loadBrokerConfig } from '../../broker/config.ts';
import { loadSystemSettings, rootDir } from '../../dev/settings.ts';
import { discoverySettings } from '../../discovery/config.ts';
import { gatewaySettings } from '../../gateway/config.ts';
import { readCompose, readText, variablesIn } from './compose.ts';
import { serviceSettings } from './service-settings.ts';

// What `npm start` and the embedded broker read is not exported: what they would parse is taken from the call.
vi.mock(import('../../platform/config.ts'), async original => ({
  ...(await original()),
  loadConfig: settings => settings as never,
}));

const schemas = [
  loadSystemSettings({}) as unknown as z.ZodObject,
  gatewaySettings,
  discoverySettings,
  ...Object.values(serviceSettings),
  loadBrokerConfig({}) as unknown as z.ZodObject,
];

interface Setting {
  /** Descriptions of the processes that have the setting. */
  readonly descriptions: string[];
  readonly defaults: string[];
}

function readSettings(): Map<string, Setting> {
  const settings = new Map<string, Setting>();
  for (const [name, field] of schemas.flatMap(({ shape }) => Object.entries(shape))) {
    const setting = settings.get(name) ?? { descriptions: [], defaults: [] };
    settings.set(name, setting);
    setting.descriptions.push((field as z.ZodType).description ?? '');
    setting.defaults.push(textOf((field as z.ZodType).safeParse(undefined).data));
  }
  return settings;
}

/** A default as it is written into an environment. */
function textOf(value: unknown): string {
  if (value === undefined) return '';
  if (Array.isArray(value)) return value.join(',');
  if (typeof value !== 'string') return JSON.stringify(value);
  return isAbsolute(value) ? relative(rootDir, value) : value;
}

interface Entry {
  readonly name: string;
  readonly value: string;
  readonly isDefault: boolean;
  /** The comment right above it. */
  readonly comment: string;
}

async function readExample(): Promise<Entry[]> {
  const lines = (await readText('.env.example')).split('\n');
  return lines.flatMap((line, index) => {
    const [, hash, name = '', value = ''] = /^(#?)([A-Z][A-Z0-9_]*)=(.*)$/.exec(line) ?? [];
    if (name === '') return [];
    return [{ name, value, isDefault: hash === '#', comment: (lines[index - 1] ?? '').replace(/^# /, '') }];
  });
}

const settings = readSettings();
const example = await readExample();
const compose = `${await readText('docker-compose.yml')}${await readText('docker-compose.ha.yml')}`;
/** Variables that the Compose files take from .env; the job that keeps the secrets is given them whole. */
const ofCompose = new Set([
  ...variablesIn(compose),
  ...Object.keys((await readCompose()).services['secrets']?.environment ?? {}),
]);

describe('.env.example', () => {
  test('has every setting once', () => {
    const names = example.map(({ name }) => name);
    expect([...settings.keys()].filter(name => !names.includes(name))).toEqual([]);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });

  test('has every variable of the Compose file, and nothing that nobody reads', () => {
    const names = example.map(({ name }) => name);
    expect([...ofCompose].filter(name => !names.includes(name))).toEqual([]);
    expect(names.filter(name => !settings.has(name) && !ofCompose.has(name))).toEqual([]);
  });

  test.each([...settings])('says of %s what its process says, and its default', (name, setting) => {
    const entry = example.find(each => each.name === name);
    expect(setting.descriptions).toContain(entry?.comment);
    expect(setting.defaults).toContain(entry?.value);
  });

  test('leaves nothing to be filled in, as Compose does not', () => {
    expect(compose.match(/\$\{\w+:\?/g)).toBeNull();
    expect(example.filter(({ isDefault }) => !isDefault)).toEqual([]);
  });
});
