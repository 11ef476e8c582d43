import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { loadConfig, processSettings } from '../platform/config.ts';
import { discoverySettings } from './config.ts';

describe('The settings of the registry', () => {
  test('work without any', () => {
    expect(loadConfig(discoverySettings, {})).toMatchObject({ DISCOVERY_PORT: 8761, DISCOVERY_PEERS: [] });
  });

  test('are refused with the reason when they are wrong', () => {
    expect(() => loadConfig(discoverySettings, { DISCOVERY_PEERS: 'host:8762' })).toThrow(
      /expected a URL that begins with http: or https:\/\/, but got host:8762/,
    );
    expect(() => loadConfig(discoverySettings, { DISCOVERY_TOKEN: 'short' })).toThrow(/DISCOVERY_TOKEN/);
  });

  test('are all in the documentation, with their defaults', () => {
    const text = readFileSync(new URL('../docs/discovery.md', import.meta.url), 'utf8');
    const defaults: Record<string, unknown> = loadConfig(discoverySettings, {});
    for (const name of Object.keys(discoverySettings.shape)) {
      if (name in processSettings.shape) continue;
      const row = text.split('\n').find(line => line.startsWith(`| \`${name}\` |`));
      expect(row, name).toBeDefined();
      const value = defaults[name];
      if (typeof value === 'number') expect(row?.replaceAll(',', ''), name).toContain(`| ${value} `);
    }
  });
});
