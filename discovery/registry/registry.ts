import type { InstanceInfo, InstanceStatus } from './instance.ts';
import { expiresAtMs, type Lease, type RenewalSource, theInstance } from './lease.ts';
import { LeaseTable, type ReadonlyLeaseTable } from './lease-table.ts';
import { RecentChanges } from './recent-changes.ts';
import {
  type PreservationState,
  SelfPreservation,
  type SelfPreservationSettings,
} from './self-preservation.ts';
import { resolveStatus } from './status.ts';

/** Cause of a change of an instance. */
export type ChangeCause = 'registered' | 'updated' | 'status' | 'metadata' | 'cancelled' | 'expired';

/** One change of the registry. Renewals are none. */
export interface Change {
  /** Position in the order of all changes since the registry was made; the first is 1. */
  readonly sequence: number;
  readonly atMs: number;
  readonly cause: ChangeCause;
  readonly lease: Lease;
}

interface RegistryOptions {
  /** The time in ms since 1970. It must never go back. */
  readonly now: () => number;
  readonly maxInstances: number;
  /** Instances that one address may have registered. @default any number */
  readonly maxInstancesPerAddress?: number;
  readonly selfPreservation: SelfPreservationSettings;
  /** Tells whether the registry that renewed a lease cannot be reached now. @default never */
  readonly isCutOff?: (source: RenewalSource) => boolean;
}

type Refusals = Record<Exclude<RegistrationOutcome, 'registered'>, number>;

interface Origin {
  /** Sender of this. @default the instance itself */
  readonly source?: RenewalSource;
}

interface Arriving extends Origin {
  /** Time at which the instance was last heard of, for what a peer hands over. @default now */
  readonly renewedAtMs?: number;
  /** Address that registers it; undefined for one that is not counted. */
  readonly registrant?: string | undefined;
}

interface Renewal extends Origin {
  /** Timestamp that the sender takes for the instance's; undefined when it does not say. */
  readonly lastDirtyTimestampMs?: number | undefined;
  /** Override that a peer knows of. */
  readonly override?: InstanceStatus | undefined;
}

/** Outcome of a registration: it is refused where there are as many instances as there may be, of its address or of all. */
export type RegistrationOutcome = 'registered' | 'full' | 'address-full';

/** Outcome of a renewal: `outdated` asks the sender to register again, `newer` tells a peer to take ours. */
export type RenewalOutcome = 'renewed' | 'unknown' | 'outdated' | 'newer';

/**
 * The registry: leases, their statuses, their ends, and what changed. It does no I/O, and learns the time from its
 * clock alone; somebody has to call {@link InstanceRegistry.evictExpired} when {@link InstanceRegistry.nextReviewAtMs} comes.
 */
export class InstanceRegistry {
  readonly #options: RegistryOptions;
  readonly #table = new LeaseTable();
  readonly #listeners = new Set<(change: Change) => void>();
  readonly #selfPreservation: SelfPreservation;
  readonly #recent: RecentChanges;
  readonly #refusals: Refusals = { full: 0, 'address-full': 0 };
  #sequence = 0;
  #nextReviewAtMs: number | undefined;

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.#selfPreservation = new SelfPreservation(options.selfPreservation);
    this.#recent = new RecentChanges(options.maxInstances * 2);
  }

  /** The leases of the registry. */
  get leases(): ReadonlyLeaseTable {
    return this.#table;
  }

  /** Position of the last change; 0 before the first. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Earliest time at which a lease can end; undefined when there is none. */
  get nextReviewAtMs(): number | undefined {
    return this.#nextReviewAtMs;
  }

  /** Registrations that were refused, by the reason. */
  get refusals(): Readonly<Refusals> {
    return this.#refusals;
  }

  get selfPreservation(): PreservationState {
    return this.#selfPreservation.state;
  }

  /** Calls back after every change; returns what ends that. */
  onChange(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * Adds an instance, or replaces what it said before. What is older than the known is taken as a renewal.
   */
  register(
    info: InstanceInfo,
    { source = theInstance, renewedAtMs, registrant }: Arriving = {},
  ): RegistrationOutcome {
    const nowMs = this.#options.now();
    const known = this.#table.find(info.app, info.instanceId);
    if (!known && this.#table.size >= this.#options.maxInstances) return this.#refuse('full');
    const heardAtMs = Math.max(renewedAtMs ?? nowMs, known?.renewedAtMs ?? 0);
    if (known && known.info.lastDirtyTimestampMs > info.lastDirtyTimestampMs) {
      this.#table.renew(known, { renewedAtMs: heardAtMs, source });
      return 'registered';
    }
    if (known?.registrant !== registrant && this.#hasItsMost(registrant)) return this.#refuse('address-full');
    const lease = leaseOf(info, { known, nowMs, renewedAtMs: heardAtMs, source, registrant });
    this.#put(lease, known ? 'updated' : 'registered', nowMs);
    return 'registered';
  }

  /** Prolongs a lease by its duration, from now. */
  renew(
    app: string,
    id: string,
    { lastDirtyTimestampMs, override, source = theInstance }: Renewal = {},
  ): RenewalOutcome {
    const nowMs = this.#options.now();
    const lease = this.#table.find(app, id);
    if (!lease || lease.status === 'UNKNOWN') return 'unknown';
    this.#table.renew(lease, { renewedAtMs: nowMs, source });
    const known = lease.info.lastDirtyTimestampMs;
    if (lastDirtyTimestampMs === undefined || lastDirtyTimestampMs === known) return 'renewed';
    if (lastDirtyTimestampMs < known) return source.by === 'peer' ? 'newer' : 'renewed';
    const knownByPeer = source.by === 'peer' ? overrideOf(override) : undefined;
    if (knownByPeer && knownByPeer !== lease.override) this.#setStatus(lease, knownByPeer, nowMs);
    return 'outdated';
  }

  /** Takes an instance out. @returns false when there is none */
  cancel(app: string, id: string): boolean {
    const lease = this.#table.find(app, id);
    if (lease) this.#remove(lease, 'cancelled', this.#options.now());
    return lease !== undefined;
  }

  /** Sets the status that readers see, whatever the instance says but DOWN. @returns false when there is no such instance */
  setOverride(app: string, id: string, status: InstanceStatus, lastDirtyTimestampMs = 0): boolean {
    const lease = this.#table.find(app, id);
    if (!lease) return false;
    const nowMs = this.#options.now();
    this.#setStatus(withDirtyTimestamp(lease, lastDirtyTimestampMs), status, nowMs);
    return true;
  }

  /**
   * Ends an override.
   *
   * @param status what readers see from now on; by default what the instance last said of itself
   * @returns false when there is no such instance
   */
  removeOverride(app: string, id: string, status?: InstanceStatus, lastDirtyTimestampMs = 0): boolean {
    const lease = this.#table.find(app, id);
    if (!lease) return false;
    const nowMs = this.#options.now();
    if (lease.override === undefined) return true;
    const { info, ...rest } = withDirtyTimestamp(lease, lastDirtyTimestampMs);
    const next = status ?? info.status;
    const freed = { ...rest, info: { ...info, status: next }, override: undefined, status: next };
    this.#put(modified(freed, nowMs), 'status', nowMs);
    return true;
  }

  /** Replaces an instance's metadata. @returns false when there is no such instance */
  setMetadata(app: string, id: string, metadata: Readonly<Record<string, string>>): boolean {
    const lease = this.#table.find(app, id);
    if (!lease) return false;
    const nowMs = this.#options.now();
    this.#put(modified({ ...lease, info: { ...lease.info, metadata } }, nowMs), 'metadata', nowMs);
    return true;
  }

  /** Ends the leases whose time has come, unless self-preservation keeps them. @returns how many ended */
  evictExpired(): number {
    const nowMs = this.#options.now();
    const { isCutOff = () => false } = this.#options;
    const { evict, nextReviewAtMs } = this.#selfPreservation.review(this.#table.all(), nowMs, isCutOff);
    for (const lease of evict) this.#remove(lease, 'expired', nowMs);
    this.#nextReviewAtMs = nextReviewAtMs;
    return evict.length;
  }

  /** The last change of each instance that changed of late, oldest first; see `RecentChanges`. */
  recentChanges(): Lease[] {
    return this.#recent.list(this.#options.now());
  }

  #hasItsMost(registrant: string | undefined): boolean {
    const { maxInstancesPerAddress = Number.POSITIVE_INFINITY } = this.#options;
    return registrant !== undefined && this.#table.countOf(registrant) >= maxInstancesPerAddress;
  }

  #refuse<Outcome extends keyof Refusals>(outcome: Outcome): Outcome {
    this.#refusals[outcome] += 1;
    return outcome;
  }

  #setStatus(lease: Lease, status: InstanceStatus, nowMs: number): void {
    this.#put(modified({ ...lease, override: status, status }, nowMs), 'status', nowMs);
  }

  #put(lease: Lease, cause: ChangeCause, nowMs: number): void {
    this.#table.put(lease);
    this.#nextReviewAtMs = Math.min(this.#nextReviewAtMs ?? Number.POSITIVE_INFINITY, expiresAtMs(lease));
    this.#announce(lease, cause, nowMs);
  }

  #remove(lease: Lease, cause: ChangeCause, nowMs: number): void {
    if (!this.#table.remove(lease)) return;
    this.#announce({ ...lease, evictedAtMs: nowMs, updatedAtMs: nowMs, lastAction: 'DELETED' }, cause, nowMs);
  }

  #announce(lease: Lease, cause: ChangeCause, atMs: number): void {
    this.#sequence++;
    this.#recent.add(lease, atMs);
    for (const listener of this.#listeners) listener({ sequence: this.#sequence, atMs, cause, lease });
  }
}

interface Arrival {
  readonly known: Lease | undefined;
  readonly nowMs: number;
  readonly renewedAtMs: number;
  readonly source: RenewalSource;
  readonly registrant: string | undefined;
}

function leaseOf(info: InstanceInfo, { known, nowMs, renewedAtMs, source, registrant }: Arrival): Lease {
  const replicated = source.by === 'peer';
  const override = known?.override ?? overrideOf(info.overriddenStatus);
  const isNews = known !== undefined && info.lastDirtyTimestampMs > known.info.lastDirtyTimestampMs;
  const existing = isNews ? undefined : known?.status;
  const status = resolveStatus({ sent: info.status, override, existing, replicated });
  // A peer tells what readers see, so that an override hides what the instance says. Once it ends, the status is
  // unknown, the next renewal is refused, and the instance registers again with its own.
  const hidden = replicated && override !== undefined && info.status === override;
  return {
    info: hidden ? { ...info, status: 'UNKNOWN' } : info,
    status,
    override,
    registeredAtMs: nowMs,
    renewedAtMs,
    upSinceMs: known?.upSinceMs || (status === 'UP' ? nowMs : 0),
    updatedAtMs: nowMs,
    evictedAtMs: 0,
    lastAction: 'ADDED',
    source,
    registrant,
  };
}

/** UNKNOWN is how the protocol says that there is no override. */
function overrideOf(status: InstanceStatus | undefined): InstanceStatus | undefined {
  return status === 'UNKNOWN' ? undefined : status;
}

function modified(lease: Lease, nowMs: number): Lease {
  const upSinceMs = lease.upSinceMs || (lease.status === 'UP' ? nowMs : 0);
  return { ...lease, upSinceMs, updatedAtMs: nowMs, lastAction: 'MODIFIED' };
}

function withDirtyTimestamp(lease: Lease, lastDirtyTimestampMs: number): Lease {
  if (lastDirtyTimestampMs <= lease.info.lastDirtyTimestampMs) return lease;
  return { ...lease, info: { ...lease.info, lastDirtyTimestampMs } };
}
