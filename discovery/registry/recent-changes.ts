import type { Lease } from './lease.ts';

/** Changes that a client has not seen may be this old; Netflix's clients poll every 30 s. */
export const deltaRetentionMs = 180_000;

/**
 * The last change of each instance that changed within the retention, in the order of those changes. One entry an
 * instance suffices, since each carries all of it; so the size is bounded by the number of instances and not by how
 * often they change.
 */
export class RecentChanges {
  readonly #changesByKey = new Map<string, { lease: Lease; atMs: number }>();
  readonly #maxEntries: number;

  /** @param maxEntries bound for instances that come and go; the oldest changes are forgotten beyond it */
  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
  }

  add(lease: Lease, atMs: number): void {
    const key = `${lease.info.app}/${lease.info.instanceId}`;
    this.#changesByKey.delete(key);
    this.#changesByKey.set(key, { lease, atMs });
    this.#prune(atMs);
  }

  list(nowMs: number): Lease[] {
    this.#prune(nowMs);
    return [...this.#changesByKey.values()].map(({ lease }) => lease);
  }

  #prune(nowMs: number): void {
    for (const [key, { atMs }] of this.#changesByKey) {
      if (atMs >= nowMs - deltaRetentionMs && this.#changesByKey.size <= this.#maxEntries) return;
      this.#changesByKey.delete(key);
    }
  }
}
