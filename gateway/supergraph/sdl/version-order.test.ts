import { describe, expect, test } from 'vitest';
import type { Launch } from '../launches/launch-history.ts';
import { createVersionOrder } from './version-order.ts';

/** Versions of `stock`, that of the instance that registered last first. */
const versionsOf = (...hashes: string[]) => ({
  name: 'stock',
  versions: hashes.map(hash => ({ name: 'stock', hash, sdl: '' })),
  failures: [],
  declared: true,
});

function remember(...servedBefore: string[]) {
  const clock = { nowMs: 0 };
  const launches = servedBefore.map(hash => ({ outcome: 'served', subgraphs: [{ name: 'stock', hash }] }));
  const versionOrder = createVersionOrder({
    launches: launches as unknown as Launch[],
    forgetAfterMs: 1_000,
    now: () => clock.nowMs,
  });
  return {
    clock,
    see: (...hashes: string[]) =>
      versionOrder
        .newestFirst([versionsOf(...hashes)])
        .flatMap(({ versions }) => versions.map(({ hash }) => hash)),
  };
}

describe('the newest version', () => {
  test('is the one that was first seen last, whoever registered last', () => {
    const { see } = remember();
    see('v1');
    expect(see('v2', 'v1')).toEqual(['v2', 'v1']);
    expect(see('v1', 'v2')).toEqual(['v2', 'v1']);
  });

  test('of those that are first seen together is the one that registered last', () => {
    const { see } = remember();
    expect(see('v2', 'v1')).toEqual(['v2', 'v1']);
  });

  test('is none that was served before a restart when another comes', () => {
    const { see } = remember('v1', 'v2');
    expect(see('v1', 'v3', 'v2')).toEqual(['v3', 'v2', 'v1']);
  });

  test('is one that comes back, but only when it was gone for long', () => {
    const { clock, see } = remember();
    see('v1');
    see('v2', 'v1');
    clock.nowMs = 60_000;
    see('v2');
    clock.nowMs = 60_900;
    expect(see('v1', 'v2')).toEqual(['v2', 'v1']);
    clock.nowMs = 120_000;
    see('v2');
    clock.nowMs = 121_100;
    expect(see('v1', 'v2')).toEqual(['v1', 'v2']);
  });
});
