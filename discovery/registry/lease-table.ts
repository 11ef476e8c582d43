import type { InstanceStatus } from './instance.ts';
import type { Lease } from './lease.ts';

/** The leases, for readers of the registry. */
export type ReadonlyLeaseTable = Omit<LeaseTable, 'put' | 'renew' | 'remove'>;

/** Leases by application and instance, counted by status as they come and go. */
export class LeaseTable {
  readonly #leasesByApp = new Map<string, Map<string, Lease>>();
  readonly #countByStatus = new Map<InstanceStatus, number>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Number of leases of each status that occurs. */
  get countByStatus(): ReadonlyMap<InstanceStatus, number> {
    return this.#countByStatus;
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
    if (known) this.#count(known.status, -1);
    else this.#size++;
    leases.set(instanceId, lease);
    this.#leasesByApp.set(app, leases);
    this.#count(lease.status, 1);
  }

  /** Prolongs a lease that is in the table. */
  renew(lease: Lease, renewal: Pick<Lease, 'renewedAtMs' | 'source'>): void {
    Object.assign(lease, renewal);
  }

  /** @returns false when there is no such lease */
  remove({ info: { app, instanceId }, status }: Lease): boolean {
    const leases = this.#leasesByApp.get(app);
    if (!leases?.delete(instanceId)) return false;
    if (leases.size === 0) this.#leasesByApp.delete(app);
    this.#size--;
    this.#count(status, -1);
    return true;
  }

  #count(status: InstanceStatus, by: number): void {
    const count = (this.#countByStatus.get(status) ?? 0) + by;
    if (count === 0) this.#countByStatus.delete(status);
    else this.#countByStatus.set(status, count);
  }
}
