import { describe, expect, test } from 'vitest';
import { planFaults } from './schedule.ts';

const targets = [
  'discovery',
  'gateway',
  'inventory-1',
  'inventory-2',
  'kafka',
  'orders-1',
  'orders-2',
  'postgres',
];

describe('a schedule of faults', () => {
  test('is the same for the same seed, and another for another', () => {
    const options = { seed: 7, seconds: 60, targets };
    expect(planFaults(options)).toEqual(planFaults(options));
    expect(planFaults({ ...options, seed: 8 })).not.toEqual(planFaults(options));
  });

  test('reaches every process, by both kinds of faults, within the time', () => {
    const faults = planFaults({ seed: 7, seconds: 300, targets });
    expect(new Set(faults.map(({ target }) => target))).toEqual(new Set(targets));
    expect(new Set(faults.map(({ kind }) => kind))).toEqual(new Set(['kill', 'pause']));
    expect(Math.max(...faults.map(({ atMs }) => atMs))).toBeLessThan(300_000);
  });

  test('leaves a process alone while it is away', () => {
    const backAtMs = new Map<string, number>();
    for (const { atMs, target, forMs } of planFaults({ seed: 7, seconds: 300, targets })) {
      expect(atMs).toBeGreaterThanOrEqual(backAtMs.get(target) ?? 0);
      backAtMs.set(target, atMs + forMs);
    }
  });
});
