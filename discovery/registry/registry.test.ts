import { beforeEach, describe, expect, test } from 'vitest';
import { anInstance, createFakeClock, createTestRegistry, type FakeClock } from '../testing/instances.ts';
import type { Change, InstanceRegistry } from './registry.ts';

const app = 'PRODUCTS';
const id = 'h:products:4001';
const peer = { by: 'peer', name: 'other' } as const;

let clock: FakeClock;
let registry: InstanceRegistry;
let changes: Change[];

beforeEach(() => {
  clock = createFakeClock();
  registry = createTestRegistry({ clock, maxInstances: 3 });
  changes = [];
  registry.onChange(change => changes.push(change));
});

function statusNow() {
  return registry.leases.find(app, id)?.status;
}

describe('A lease', () => {
  test('ends when its duration has passed since the last renewal, and not later', () => {
    registry.register(anInstance());
    clock.advance(60_000);
    registry.renew(app, id);
    clock.advance(89_999);
    expect(registry.evictExpired()).toBe(0);
    clock.advance(1);
    expect(registry.evictExpired()).toBe(1);
    expect(registry.leases.size).toBe(0);
    expect(changes.at(-1)).toMatchObject({
      cause: 'expired',
      lease: { lastAction: 'DELETED', evictedAtMs: clock.now() },
    });
  });

  test('tells when it can end, so that nobody has to look before', () => {
    expect(registry.nextReviewAtMs).toBeUndefined();
    registry.register(anInstance());
    const first = clock.now() + 90_000;
    expect(registry.nextReviewAtMs).toBe(first);
    clock.advance(30_000);
    registry.renew(app, id);
    clock.advance(60_000);
    registry.evictExpired();
    expect(registry.nextReviewAtMs).toBe(first + 30_000);
  });

  test('is found in whatever case its application is written', () => {
    registry.register(anInstance());
    expect(registry.renew('products', id)).toBe('renewed');
    expect(registry.cancel('Products', id)).toBe(true);
  });
});

describe('An instance that registered OUT_OF_SERVICE', () => {
  beforeEach(() => {
    registry.register(anInstance({ status: 'OUT_OF_SERVICE', lastDirtyTimestampMs: 1_000 }));
  });

  test('is in service when it says so later', () => {
    registry.register(anInstance({ status: 'UP', lastDirtyTimestampMs: 1_001 }));
    expect(statusNow()).toBe('UP');
  });

  test('stays out of service when it says nothing new', () => {
    registry.register(anInstance({ status: 'UP', lastDirtyTimestampMs: 1_000 }));
    expect(statusNow()).toBe('OUT_OF_SERVICE');
  });

  test('stays out of service when an operator wants it so', () => {
    registry.setOverride(app, id, 'OUT_OF_SERVICE');
    registry.register(anInstance({ status: 'UP', lastDirtyTimestampMs: clock.now() + 1 }));
    expect(statusNow()).toBe('OUT_OF_SERVICE');
  });
});

describe('A renewal', () => {
  test('is no change', () => {
    registry.register(anInstance());
    registry.renew(app, id);
    expect(registry.sequence).toBe(1);
  });

  test('of an unknown instance asks it to register', () => {
    expect(registry.renew(app, id)).toBe('unknown');
  });

  test('of an instance whose status is UNKNOWN asks it to register again', () => {
    registry.register(anInstance({ status: 'UNKNOWN' }));
    expect(registry.renew(app, id)).toBe('unknown');
  });

  test('that is newer than what is known asks the instance to register again, and keeps it alive until it has', () => {
    registry.register(anInstance());
    clock.advance(80_000);
    expect(registry.renew(app, id, { lastDirtyTimestampMs: 1_001 })).toBe('outdated');
    clock.advance(80_000);
    expect(registry.evictExpired()).toBe(0);
  });

  test('that is older than what is known is good from the instance, and corrects a peer', () => {
    registry.register(anInstance());
    expect(registry.renew(app, id, { lastDirtyTimestampMs: 999 })).toBe('renewed');
    expect(registry.renew(app, id, { lastDirtyTimestampMs: 999, source: peer })).toBe('newer');
  });

  test('by a peer that knows the instance better brings its override along', () => {
    registry.register(anInstance());
    const renewal = { lastDirtyTimestampMs: 1_001, override: 'OUT_OF_SERVICE', source: peer } as const;
    expect(registry.renew(app, id, renewal)).toBe('outdated');
    expect(statusNow()).toBe('OUT_OF_SERVICE');
  });
});

describe('A registration', () => {
  test('replaces what the instance said before, keeps the override, and counts as a renewal', () => {
    registry.register(anInstance());
    registry.setOverride(app, id, 'OUT_OF_SERVICE');
    clock.advance(80_000);
    registry.register(anInstance({ lastDirtyTimestampMs: 2_000, metadata: { version: '2' } }));
    clock.advance(80_000);
    expect(registry.evictExpired()).toBe(0);
    expect(registry.leases.find(app, id)).toMatchObject({
      status: 'OUT_OF_SERVICE',
      info: { metadata: { version: '2' } },
    });
  });

  test('that is older than what is known changes nothing but the lease', () => {
    registry.register(anInstance({ metadata: { version: '2' } }));
    clock.advance(80_000);
    registry.register(anInstance({ lastDirtyTimestampMs: 1, metadata: { version: '1' } }));
    clock.advance(80_000);
    registry.evictExpired();
    expect(registry.leases.find(app, id)?.info.metadata).toEqual({ version: '2' });
    expect(registry.sequence).toBe(1);
  });

  test('is refused when the registry is full, unless the instance is known', () => {
    for (const each of ['a', 'b', 'c']) registry.register(anInstance({ instanceId: each }));
    expect(registry.register(anInstance({ instanceId: 'd' }))).toBe('full');
    expect(registry.register(anInstance({ instanceId: 'a' }))).toBe('registered');
  });

  test('refuses an address that has registered its most, also what others have registered, and lets go of what ends', () => {
    registry = createTestRegistry({ clock, maxInstances: 9, maxInstancesPerAddress: 2 });
    const put = (instanceId: string, registrant?: string, facts = {}) =>
      registry.register(anInstance({ instanceId, ...facts }), { registrant });
    expect([put('a', 'x'), put('b', 'x'), put('c', 'x')]).toEqual([
      'registered',
      'registered',
      'address-full',
    ]);
    expect([put('d', 'y'), put('e'), put('d', 'x')]).toEqual(['registered', 'registered', 'address-full']);
    expect(put('a', 'x', { lastDirtyTimestampMs: 2_000 })).toBe('registered');
    expect(registry.refusals).toEqual({ full: 0, 'address-full': 2 });
    // The instance moves to another address, and counts there.
    expect([put('a', 'y', { lastDirtyTimestampMs: 3_000 }), put('f', 'y'), put('c', 'x')]).toEqual([
      'registered',
      'address-full',
      'registered',
    ]);
    for (const each of registry.leases.all()) registry.cancel(each.info.app, each.info.instanceId);
    expect([registry.leases.countOf('x'), registry.leases.countOf('y')]).toEqual([0, 0]);
  });

  test('by a peer may be as old as the peer says', () => {
    registry.register(anInstance(), { source: peer, renewedAtMs: clock.now() - 50_000 });
    clock.advance(40_000);
    expect(registry.evictExpired()).toBe(1);
  });
});

describe('An override', () => {
  test('wins over what the instance says, until it is removed', () => {
    registry.register(anInstance());
    registry.setOverride(app, id, 'OUT_OF_SERVICE');
    expect(statusNow()).toBe('OUT_OF_SERVICE');
    registry.removeOverride(app, id);
    expect(statusNow()).toBe('UP');
    registry.renew(app, id);
    expect(statusNow()).toBe('UP');
  });

  test('gives way to the status that its removal names', () => {
    registry.register(anInstance());
    registry.setOverride(app, id, 'OUT_OF_SERVICE');
    registry.removeOverride(app, id, 'DOWN');
    expect(statusNow()).toBe('DOWN');
  });

  test('that a peer handed over hides what the instance says, so that its removal asks the instance', () => {
    registry.register(anInstance({ status: 'OUT_OF_SERVICE', overriddenStatus: 'OUT_OF_SERVICE' }), {
      source: peer,
    });
    expect(statusNow()).toBe('OUT_OF_SERVICE');
    registry.removeOverride(app, id);
    expect(registry.renew(app, id)).toBe('unknown');
    registry.register(anInstance());
    expect(statusNow()).toBe('UP');
  });

  test('ends with the instance', () => {
    registry.register(anInstance());
    registry.setOverride(app, id, 'OUT_OF_SERVICE');
    registry.cancel(app, id);
    registry.register(anInstance());
    expect(statusNow()).toBe('UP');
  });

  test('is no sign of life', () => {
    registry.register(anInstance());
    clock.advance(89_000);
    registry.setOverride(app, id, 'OUT_OF_SERVICE');
    clock.advance(1_000);
    expect(registry.evictExpired()).toBe(1);
  });

  test('of an unknown instance is refused', () => {
    expect(registry.setOverride(app, id, 'OUT_OF_SERVICE')).toBe(false);
    expect(registry.removeOverride(app, id)).toBe(false);
  });
});

describe('What changed of late', () => {
  test('holds the last change of each instance for three minutes, and the hash of the whole', () => {
    registry.register(anInstance());
    registry.register(anInstance({ instanceId: 'b' }));
    registry.cancel(app, id);
    expect(registry.recentChanges().map(({ info, lastAction }) => [info.instanceId, lastAction])).toEqual([
      ['b', 'ADDED'],
      [id, 'DELETED'],
    ]);
    expect([...registry.leases.countByStatus]).toEqual([['UP', 1]]);
    clock.advance(180_001);
    expect(registry.recentChanges()).toEqual([]);
  });
});
