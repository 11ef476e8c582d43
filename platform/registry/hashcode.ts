import type { InstanceStatus } from './instance.ts';

/**
 * Eureka's hash of a registry, by which a client learns whether it has followed: `DOWN_1_UP_3_`, statuses in
 * alphabetical order, empty when there is no instance.
 */
export function appsHashcode(countByStatus: ReadonlyMap<InstanceStatus, number>): string {
  return [...countByStatus]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([status, count]) => `${status}_${count}_`)
    .join('');
}

/** Counts instances by status. */
export function countStatuses(
  instances: Iterable<{ readonly status: InstanceStatus }>,
): Map<InstanceStatus, number> {
  const countByStatus = new Map<InstanceStatus, number>();
  for (const { status } of instances) countByStatus.set(status, (countByStatus.get(status) ?? 0) + 1);
  return countByStatus;
}
