import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { appsHashcode } from '../../platform/registry/hashcode.ts';
import { InstanceSet } from '../../platform/registry/instance-set.ts';
import { parseApplications, parseDelta } from '../../platform/registry/read-instances.ts';
import {
  anInstance,
  createFakeClock,
  createTestRegistry,
  defaultPreservation,
} from '../testing/instances.ts';
import { LeaseModel } from '../testing/lease-model.ts';
import { listApplications } from '../wire/applications.ts';
import { applicationsJson } from '../wire/json.ts';
import { type InstanceStatus, instanceStatuses } from './instance.ts';
import { expiresAtMs, type Lease } from './lease.ts';
import { deltaRetentionMs } from './recent-changes.ts';
import type { InstanceRegistry } from './registry.ts';

const settableStatuses = instanceStatuses.filter(status => status !== 'UNKNOWN');

type Step =
  | { kind: 'register'; app: string; id: string; own: InstanceStatus; dirty: number; durationMs: number }
  | { kind: 'renew'; app: string; id: string; dirty: number | undefined }
  | { kind: 'cancel'; app: string; id: string }
  | { kind: 'override'; app: string; id: string; status: InstanceStatus }
  | { kind: 'removeOverride'; app: string; id: string; status: InstanceStatus | undefined }
  | { kind: 'wait'; ms: number };

const instance = { app: fc.constantFrom('A', 'B'), id: fc.constantFrom('1', '2', '3', '4') };
const dirty = fc.integer({ min: 1, max: 4 });

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('register' as const),
      ...instance,
      own: fc.constantFrom(...instanceStatuses),
      dirty,
      durationMs: fc.constantFrom(10_000, 90_000, 200_000),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('renew' as const),
      ...instance,
      dirty: fc.option(dirty, { nil: undefined }),
    }),
  },
  fc.record({ kind: fc.constant('cancel' as const), ...instance }),
  fc.record({
    kind: fc.constant('override' as const),
    ...instance,
    status: fc.constantFrom(...settableStatuses),
  }),
  fc.record({
    kind: fc.constant('removeOverride' as const),
    ...instance,
    status: fc.option(fc.constantFrom(...settableStatuses), { nil: undefined }),
  }),
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 60_000 }) }),
  },
);

const steps = fc.array(step, { maxLength: 60 });

/** Does the same to the registry, which has to be told to look at the clock. @returns what it answered */
function perform(registry: InstanceRegistry, each: Step, wait: (ms: number) => void): unknown {
  switch (each.kind) {
    case 'register': {
      const { app, id, own, dirty: lastDirtyTimestampMs, durationMs } = each;
      const info = {
        app,
        instanceId: id,
        status: own,
        lastDirtyTimestampMs,
        durationMs,
        renewalIntervalMs: 10_000,
      };
      return registry.register(anInstance(info)) === 'registered';
    }
    case 'renew':
      return registry.renew(each.app, each.id, { lastDirtyTimestampMs: each.dirty });
    case 'cancel':
      return registry.cancel(each.app, each.id);
    case 'override':
      return registry.setOverride(each.app, each.id, each.status);
    case 'removeOverride':
      return registry.removeOverride(each.app, each.id, each.status);
    case 'wait':
      wait(each.ms);
      return registry.evictExpired();
    default:
      return each satisfies never;
  }
}

function performOnModel(model: LeaseModel, each: Step): unknown {
  if (each.kind === 'wait') {
    const before = model.leases.size;
    model.advance(each.ms);
    return before - model.leases.size;
  }
  const key = `${each.app}/${each.id}`;
  switch (each.kind) {
    case 'register':
      model.register(key, each);
      return true;
    case 'renew':
      return model.renew(key, each.dirty);
    case 'cancel':
      return model.cancel(key);
    case 'override':
      return model.setOverride(key, each.status);
    case 'removeOverride':
      return model.removeOverride(key, each.status);
    default:
      return each satisfies never;
  }
}

function shownOf(registry: InstanceRegistry): Record<string, InstanceStatus> {
  const shown = [...registry.leases.all()].map(({ info, status }) => [
    `${info.app}/${info.instanceId}`,
    status,
  ]);
  return Object.fromEntries(shown) as Record<string, InstanceStatus>;
}

describe('Whatever clients do, and whenever', () => {
  test('the registry does what the lease rules say', () => {
    fc.assert(
      fc.property(steps, all => {
        const clock = createFakeClock();
        const registry = createTestRegistry({
          clock,
          selfPreservation: { ...defaultPreservation, enabled: false },
        });
        const model = new LeaseModel(clock.now());
        for (const each of all) {
          const answered = perform(registry, each, clock.advance);
          expect(answered).toEqual(performOnModel(model, each));
          expect(shownOf(registry)).toEqual(model.shown);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('a client that applies each delta agrees with the hash of the registry, and with its instances', () => {
    fc.assert(
      fc.property(fc.array(steps, { maxLength: 6 }), rounds => {
        const clock = createFakeClock();
        const registry = createTestRegistry({ clock });
        const client = new InstanceSet();
        for (const round of rounds) {
          const startedAtMs = clock.now();
          for (const each of round) perform(registry, each, clock.advance);
          follow(client, registry, clock.now() - startedAtMs <= deltaRetentionMs);
          const shown = client.all.map(({ app, id, status }) => [`${app}/${id}`, status]);
          expect(Object.fromEntries(shown)).toEqual(shownOf(registry));
        }
      }),
      { numRuns: 300 },
    );
  });

  test('a lease is never ended early, never kept for longer than allowed, and ends on time when nothing keeps it', () => {
    fc.assert(
      fc.property(steps, all => {
        const clock = createFakeClock();
        const selfPreservation = { ...defaultPreservation, maxHoldMs: 30_000 };
        const registry = createTestRegistry({ clock, selfPreservation });
        registry.onChange(({ cause, lease, atMs }) => {
          if (cause === 'expired') expect(expiresAtMs(lease)).toBeLessThanOrEqual(atMs);
        });
        for (const each of all) {
          perform(registry, each, clock.advance);
          if (each.kind === 'wait') expectNoneOverdue(registry, clock.now(), selfPreservation.maxHoldMs);
        }
      }),
      { numRuns: 500 },
    );
  });
});

/** Polls as a client does: a delta while it reaches back far enough, everything otherwise. */
function follow(client: InstanceSet, registry: InstanceRegistry, deltaReachesBack: boolean): void {
  const hashcode = appsHashcode(registry.leases.countByStatus);
  if (deltaReachesBack) {
    const delta = parseDelta(overTheWire(registry.recentChanges(), hashcode));
    for (const change of delta.changes) client.apply(change);
  } else client.replace(parseApplications(overTheWire(registry.leases.all(), hashcode)));
  expect(client.hashcode).toBe(hashcode);
}

function overTheWire(leases: Iterable<Lease>, hashcode: string): unknown {
  return JSON.parse(applicationsJson(listApplications(leases, hashcode)));
}

function expectNoneOverdue(registry: InstanceRegistry, nowMs: number, maxHoldMs: number): void {
  const expired = [...registry.leases.all()].filter(lease => expiresAtMs(lease) <= nowMs);
  for (const lease of expired) expect(nowMs - expiresAtMs(lease)).toBeLessThan(maxHoldMs);
  if (registry.selfPreservation.state === 'off') expect(expired).toEqual([]);
}
