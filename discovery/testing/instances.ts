import type { InstanceInfo } from '../registry/instance.ts';
import { InstanceRegistry } from '../registry/registry.ts';
import type { SelfPreservationSettings } from '../registry/self-preservation.ts';

/** A clock that stands still until it is moved. */
export interface FakeClock {
  readonly now: () => number;
  advance(ms: number): void;
}

/** Makes a clock at a time after 1970. */
export function createFakeClock(): FakeClock {
  let nowMs = 1_700_000_000_000;
  return {
    now: () => nowMs,
    advance(ms) {
      nowMs += ms;
    },
  };
}

/** Thresholds as they are by default. */
export const defaultPreservation: SelfPreservationSettings = {
  enabled: true,
  minLateLeases: 3,
  latePercent: 30,
  maxHoldMs: 300_000,
};

/** An instance of PRODUCTS with a lease of 90 s that is renewed every 30 s. */
export function anInstance(facts: Partial<InstanceInfo> = {}): InstanceInfo {
  return {
    app: 'PRODUCTS',
    instanceId: 'h:products:4001',
    hostName: 'h',
    ipAddr: '10.0.0.5',
    status: 'UP',
    overriddenStatus: 'UNKNOWN',
    port: { number: 4001, enabled: true },
    securePort: { number: 443, enabled: false },
    countryId: 1,
    dataCenter: { name: 'MyOwn', className: 'com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo' },
    renewalIntervalMs: 30_000,
    durationMs: 90_000,
    metadata: {},
    lastDirtyTimestampMs: 1_000,
    ...facts,
  };
}

/** A registry whose time is in the test's hands. */
export function createTestRegistry({
  clock,
  ...options
}: { clock: FakeClock } & Partial<ConstructorParameters<typeof InstanceRegistry>[0]>): InstanceRegistry {
  return new InstanceRegistry({
    now: clock.now,
    maxInstances: 1_000,
    selfPreservation: defaultPreservation,
    ...options,
  });
}
