import type { InstanceStatus } from './instance.ts';
import type { Lease } from './lease.ts';

/** The leases, for readers of the registry. */
export type ReadonlyLeaseTable = Omit<LeaseTable, 'put' | 'renew' | 'remove'>;

/** Leases by application and instance, counted by status as they come and go. */
export class LeaseTable {
  readonly #leasesByApp = new Map<string, Map<string, Lease>>();
  readonly #countByStatus = new Map<InstanceStatus, number>();
  readonly #countByRegistrant = new Map<string, number>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Number of leases of each status that occurs. */
  get countByStatus(): ReadonlyMap<InstanceStatus, number> {
    return this.#countByStatus;
  }

  /** Number of leases that an address has registered. */
  countOf(registrant: string): number {
    return this.#countByRegistrant.get(registrant) ?? 0;
  }

  find(app: string, id: string): Lease | undefined {
    return this.#leasesByApp.get(app.toUpperCase())?.get(id);
  }

  /** The first instance with this id, in whichever application. */
  findById(id: string): Lease | undefined {
    for (const leases of this.#leasesByApp.values()) {
      const lease = leases.get(id);
      if (lease) return lease;
    }
    return undefined;
  }

  /** Leases of one application; undefined when it has none. */
  application(app: string): Lease[] | undefined {
    const leases = this.#leasesByApp.get(app.toUpperCase());
    return leases && [...leases.values()];
  }

  /** Every lease, application by application. */
  *all(): IterableIterator<Lease> {
    for (const leases of this.#leasesByApp.values()) yield* leases.values();
  }

  /** Adds a lease, or replaces the one of the same instance. */
  put(lease: Lease): void {
    const { app, instanceId } = lease.info;
    const leases = this.#leasesByApp.get(app) ?? new Map<string, Lease>();
    const known = leases.get(instanceId);
    if (known) this.#count(known, -1);
    else this.#size++;
    leases.set(instanceId, lease);
    this.#leasesByApp.set(app, leases);
    this.#count(lease, 1);
  }

  /** Prolongs a lease that is in the table. */
  renew(lease: Lease, renewal: Pick<Lease, 'renewedAtMs' | 'source'>): void {
    Object.assign(lease, renewal);
  }

  /** @returns false when there is no such lease */
  remove({ info: { app, instanceId } }: Lease): boolean {
    const leases = this.#leasesByApp.get(app);
    const known = leases?.get(instanceId);
    if (!leases || !known) return false;
    leases.delete(instanceId);
    if (leases.size === 0) this.#leasesByApp.delete(app);
    this.#size--;
    this.#count(known, -1);
    return true;
  }

  #count({ status, registrant }: Lease, by: 1 | -1): void {
    addTo(this.#countByStatus, status, by);
    if (registrant !== undefined) addTo(this.#countByRegistrant, registrant, by);
  }
}

function addTo<Key>(counts: Map<Key, number>, key: Key, by: 1 | -1): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
