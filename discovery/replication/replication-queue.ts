/** Actions that one registry replicates to another, in the words of the peer protocol. */
export const replicationActions = [
  'Register',
  'Heartbeat',
  'Cancel',
  'StatusUpdate',
  'DeleteStatusOverride',
] as const;
export type ReplicationAction = (typeof replicationActions)[number];

/** Actions on one instance that a peer has not heard of yet. */
export interface PendingActions {
  readonly app: string;
  readonly id: string;
  /** About the lease; undefined when only its override changed. */
  readonly lease: 'Register' | 'Heartbeat' | 'Cancel' | undefined;
  /** About the override. */
  readonly override: 'StatusUpdate' | 'DeleteStatusOverride' | undefined;
}

/** More than instances register; who registers and cancels under ever new ids must not fill the memory. */
const defaultMaxEntries = 100_000;

/**
 * Changes that a peer has not been told yet, one entry for each instance: a later change replaces an earlier one, however
 * long the peer is away. Above the limit the oldest entries are dropped; the peer then learns of an instance by its
 * renewals, and of its end by its lease.
 */
export class ReplicationQueue {
  readonly #newsByKey = new Map<string, PendingActions>();
  readonly #maxEntries: number;

  constructor(maxEntries = defaultMaxEntries) {
    this.#maxEntries = maxEntries;
  }

  get size(): number {
    return this.#newsByKey.size;
  }

  add(app: string, id: string, action: ReplicationAction): void {
    const key = `${app}/${id}`;
    const known = this.#newsByKey.get(key) ?? { app, id, lease: undefined, override: undefined };
    this.#newsByKey.set(key, combine(known, action));
    this.#forgetOldest();
  }

  /** Takes the oldest entries out. */
  take(maxEntries: number): PendingActions[] {
    const taken: PendingActions[] = [];
    for (const [key, entries] of this.#newsByKey) {
      if (taken.length >= maxEntries) break;
      taken.push(entries);
      this.#newsByKey.delete(key);
    }
    return taken;
  }

  /** Puts back what could not be told; what was added since counts as later. */
  putBack(taken: readonly PendingActions[]): void {
    for (const earlier of taken) {
      const key = `${earlier.app}/${earlier.id}`;
      const later = this.#newsByKey.get(key);
      let entries = earlier;
      if (later?.lease) entries = combine(entries, later.lease);
      if (later?.override) entries = combine(entries, later.override);
      this.#newsByKey.set(key, entries);
    }
    this.#forgetOldest();
  }

  #forgetOldest(): void {
    for (const key of this.#newsByKey.keys()) {
      if (this.#newsByKey.size <= this.#maxEntries) return;
      this.#newsByKey.delete(key);
    }
  }
}

function combine(known: PendingActions, action: ReplicationAction): PendingActions {
  switch (action) {
    case 'Cancel':
      return { ...known, lease: 'Cancel', override: undefined };
    case 'Register':
      return { ...known, lease: 'Register' };
    case 'Heartbeat':
      return { ...known, lease: known.lease === 'Register' ? 'Register' : 'Heartbeat' };
    case 'StatusUpdate':
    case 'DeleteStatusOverride':
      return { ...known, override: action };
    default:
      return action satisfies never;
  }
}
