import type { Lease } from '../registry/lease.ts';

/** A list of instances, application by application, as Eureka's answers nest it. */
export interface ApplicationList {
  /** Eureka's hash of the whole registry, also where the list is a part of it. */
  readonly hashcode: string;
  readonly leasesByApp: ReadonlyMap<string, readonly Lease[]>;
}

/** Groups leases into a list. */
export function listApplications(leases: Iterable<Lease>, hashcode: string): ApplicationList {
  const leasesByApp = new Map<string, Lease[]>();
  for (const lease of leases) {
    const known = leasesByApp.get(lease.info.app);
    if (known) known.push(lease);
    else leasesByApp.set(lease.info.app, [lease]);
  }
  return { hashcode, leasesByApp };
}
