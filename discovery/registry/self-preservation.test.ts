import { beforeEach, describe, expect, test } from 'vitest';
import { anInstance, createFakeClock, createTestRegistry, type FakeClock } from '../testing/instances.ts';
import type { RenewalSource } from './lease.ts';
import type { InstanceRegistry } from './registry.ts';

const app = 'PRODUCTS';

let clock: FakeClock;
let registry: InstanceRegistry;
let cutOff: string | undefined;

beforeEach(() => {
  clock = createFakeClock();
  cutOff = undefined;
  const isCutOff = (source: RenewalSource) => source.by === 'peer' && source.name === cutOff;
  registry = createTestRegistry({ clock, isCutOff });
});

function registerMany(count: number, source?: RenewalSource): string[] {
  const ids = Array.from({ length: count }, (_, index) => `${source ? 'remote' : 'local'}-${index}`);
  for (const instanceId of ids) registry.register(anInstance({ instanceId }), source ? { source } : {});
  return ids;
}

/** Lets time pass in steps of 10 s, while those that live renew every 30 s. */
function live(seconds: number, alive: readonly string[]): void {
  for (let second = 10; second <= seconds; second += 10) {
    clock.advance(10_000);
    if (second % 30 === 0) for (const id of alive) registry.renew(app, id);
    registry.evictExpired();
  }
}

function has(ids: readonly string[]): boolean[] {
  return ids.map(id => registry.leases.find(app, id) !== undefined);
}

describe('A crash', () => {
  test('of one instance of four is evicted when its lease ends', () => {
    const [dead = '', ...alive] = registerMany(4);
    live(80, alive);
    expect(has([dead])).toEqual([true]);
    live(10, alive);
    expect(has([dead, ...alive])).toEqual([false, true, true, true]);
    expect(registry.selfPreservation.state).toBe('off');
  });

  test('of a quarter of a hundred instances is evicted', () => {
    const ids = registerMany(100);
    live(90, ids.slice(25));
    expect(registry.leases.size).toBe(75);
  });

  test('of the only two instances is evicted', () => {
    registerMany(2);
    live(90, []);
    expect(registry.leases.size).toBe(0);
  });
});

describe('A partition', () => {
  test('that cuts off most instances at once evicts none of them, and says why', () => {
    const ids = registerMany(10);
    live(150, ids.slice(6));
    expect(registry.leases.size).toBe(10);
    expect(registry.selfPreservation).toMatchObject({
      state: 'on',
      reasons: ['many-leases-late'],
      held: 6,
      late: 6,
      expected: 10,
    });
  });

  test('is recognised from the first lease that ends, though the others end later', () => {
    const first = registerMany(5);
    clock.advance(20_000);
    registry.register(anInstance({ instanceId: 'later' }));
    clock.advance(70_000);
    registry.evictExpired();
    expect(has([...first, 'later'])).toEqual([true, true, true, true, true, true]);
  });

  test('that heals ends self-preservation by itself, after everybody had the time to come back', () => {
    const ids = registerMany(10);
    const gone = ids.slice(0, 2);
    live(120, []);
    expect(registry.selfPreservation.state).toBe('on');
    for (const id of ids.slice(2)) registry.renew(app, id);
    registry.evictExpired();
    expect(registry.selfPreservation.state).toBe('ending');
    expect(has(gone)).toEqual([true, true]);
    live(30, ids.slice(2));
    expect(registry.selfPreservation.state).toBe('off');
    expect(has(gone)).toEqual([false, false]);
    expect(registry.leases.size).toBe(8);
  });

  test('that does not heal ends after the longest hold', () => {
    registerMany(10);
    live(380, []);
    expect(registry.leases.size).toBe(10);
    live(20, []);
    expect(registry.leases.size).toBe(0);
    expect(registry.selfPreservation.state).toBe('off');
  });

  test('does not keep what leaves properly', () => {
    const [leaver = ''] = registerMany(10);
    live(120, []);
    expect(registry.cancel(app, leaver)).toBe(true);
    expect(has([leaver])).toEqual([false]);
  });
});

describe('A registry that cannot be reached', () => {
  const peer: RenewalSource = { by: 'peer', name: 'a' };

  test('keeps even a single lease that it renewed, and not those of others', () => {
    const [local = ''] = registerMany(1);
    const [remote = ''] = registerMany(1, peer);
    cutOff = 'a';
    live(90, []);
    expect(has([local, remote])).toEqual([false, true]);
    expect(registry.selfPreservation).toMatchObject({ state: 'on', reasons: ['peer-unreachable'], held: 1 });
  });

  test('does not make its leases count as late, so that a crash among the others is still one', () => {
    const local = registerMany(4);
    registerMany(20, peer);
    cutOff = 'a';
    live(90, local.slice(1));
    expect(has(local)).toEqual([false, true, true, true]);
    expect(registry.selfPreservation).toMatchObject({ reasons: ['peer-unreachable'], held: 20 });
  });

  test('leaves its instances the time to be renewed when it is back', () => {
    const [remote = ''] = registerMany(1, peer);
    cutOff = 'a';
    live(120, []);
    cutOff = undefined;
    registry.evictExpired();
    expect(registry.selfPreservation.state).toBe('ending');
    registry.renew(app, remote, { source: peer });
    live(30, []);
    expect(has([remote])).toEqual([true]);
    live(60, []);
    expect(has([remote])).toEqual([false]);
  });
});

describe('Self-preservation that is switched off', () => {
  test('lets every lease end on time', () => {
    const selfPreservation = { enabled: false, minLateLeases: 3, latePercent: 30, maxHoldMs: 300_000 };
    registry = createTestRegistry({ clock, selfPreservation });
    registerMany(10);
    live(90, []);
    expect(registry.leases.size).toBe(0);
  });
});
