import { expiresAtMs, isLate, type Lease, type RenewalSource } from './lease.ts';

/** Bounds of {@link SelfPreservation}. */
export interface SelfPreservationSettings {
  readonly enabled: boolean;
  /** Fewer late leases than this are crashes, whatever their share. */
  readonly minLateLeases: number;
  /** Share of late leases, in percent, above which the network is suspected rather than the instances. */
  readonly latePercent: number;
  /** Longest time that an expired lease is kept, in ms after its expiry. */
  readonly maxHoldMs: number;
}

/** Reason for which an expired lease is kept. */
export type PreservationReason = 'many-leases-late' | 'peer-unreachable';

/** State of the self-preservation: off, or on with the reason for which expired leases are kept. */
export type PreservationState =
  | { readonly state: 'off' }
  | {
      readonly state: 'on';
      readonly sinceMs: number;
      readonly reasons: readonly PreservationReason[];
      /** Expired leases that are kept. */
      readonly held: number;
      /** Leases that missed a renewal, of `expected`; those of an unreachable peer count in neither. */
      readonly late: number;
      readonly expected: number;
    }
  | {
      /** The reasons are gone; whose lease was kept has until `untilMs` at the latest to come back. */
      readonly state: 'ending';
      readonly sinceMs: number;
      readonly untilMs: number;
      readonly held: number;
    };

interface Review {
  readonly evict: readonly Lease[];
  /** Latest time of the next review; undefined when no lease is left. */
  readonly nextReviewAtMs: number | undefined;
}

/** An expired lease that is kept: for a reason, or for a grace after the reason has gone. */
type Hold =
  | { readonly kind: 'reason'; readonly reason: PreservationReason }
  | { readonly kind: 'grace'; readonly untilMs: number };

/** Time between two reviews while leases are kept. */
const reviewIntervalMs = 500;
/** Least time that an instance has to come back, for leases that are renewed more often than a peer is called. */
const minGraceMs = 3_000;

/**
 * Tells a partition from a crash. When a lease expires, its neighbours are looked at: instances that are cut off
 * together have all missed a renewal by then, while after a crash the others are on time. A lease that another
 * registry renewed is kept while that registry cannot be reached. What is kept is kept for a bounded time.
 *
 * Unlike Netflix's it compares leases and not the renewals of the last minute, so it neither blocks the eviction of
 * a single crash in a small system nor stays on when the system has shrunk.
 */
export class SelfPreservation {
  readonly #settings: SelfPreservationSettings;
  #holdByKey: ReadonlyMap<string, Hold> = new Map();
  #state: PreservationState = { state: 'off' };

  constructor(settings: SelfPreservationSettings) {
    this.#settings = settings;
  }

  get state(): PreservationState {
    return this.#state;
  }

  /**
   * Decides which of the expired leases go.
   *
   * @param isCutOff whether the registry that renewed a lease cannot be reached
   */
  review(leases: Iterable<Lease>, nowMs: number, isCutOff: (source: RenewalSource) => boolean): Review {
    const all = [...leases];
    const own = all.filter(({ source }) => !isCutOff(source));
    const late = own.filter(lease => isLate(lease, nowMs)).length;
    const { minLateLeases, latePercent } = this.#settings;
    const manyLate = late >= minLateLeases && late * 100 > latePercent * own.length;
    const evict: Lease[] = [];
    const holdByKey = new Map<string, Hold>();
    for (const lease of all) {
      if (expiresAtMs(lease) > nowMs) continue;
      const hold = this.#holdOf(lease, { nowMs, cutOff: isCutOff(lease.source), manyLate });
      if (hold) holdByKey.set(keyOf(lease), hold);
      else evict.push(lease);
    }
    this.#holdByKey = holdByKey;
    this.#state = this.#describe(nowMs, { late, expected: own.length });
    const paused = this.#state.state !== 'off';
    return { evict, nextReviewAtMs: paused ? nowMs + reviewIntervalMs : firstExpiry(all, nowMs) };
  }

  #holdOf(
    lease: Lease,
    { nowMs, cutOff, manyLate }: { nowMs: number; cutOff: boolean; manyLate: boolean },
  ): Hold | undefined {
    const { enabled, maxHoldMs } = this.#settings;
    if (!enabled || nowMs - expiresAtMs(lease) >= maxHoldMs) return undefined;
    if (cutOff) return { kind: 'reason', reason: 'peer-unreachable' };
    if (manyLate) return { kind: 'reason', reason: 'many-leases-late' };
    const before = this.#holdByKey.get(keyOf(lease));
    if (before?.kind === 'reason')
      return { kind: 'grace', untilMs: nowMs + Math.max(lease.info.renewalIntervalMs, minGraceMs) };

    return before && nowMs < before.untilMs ? before : undefined;
  }

  #describe(nowMs: number, counts: { late: number; expected: number }): PreservationState {
    const holds = [...this.#holdByKey.values()];
    if (holds.length === 0) return { state: 'off' };
    const sinceMs = this.#state.state === 'off' ? nowMs : this.#state.sinceMs;
    const held = holds.length;
    const reasons = new Set(holds.flatMap(hold => (hold.kind === 'reason' ? hold.reason : [])));
    if (reasons.size > 0) return { state: 'on', sinceMs, reasons: [...reasons], held, ...counts };
    const untilMs = Math.max(...holds.map(hold => (hold.kind === 'grace' ? hold.untilMs : 0)));
    return { state: 'ending', sinceMs, untilMs, held };
  }
}

function keyOf({ info }: Lease): string {
  return `${info.app}/${info.instanceId}`;
}

function firstExpiry(leases: readonly Lease[], nowMs: number): number | undefined {
  let first: number | undefined;
  for (const lease of leases) {
    const at = expiresAtMs(lease);
    if (at > nowMs && (first === undefined || at < first)) first = at;
  }
  return first;
}
