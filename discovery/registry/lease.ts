import type { ActionType, InstanceInfo, InstanceStatus } from './instance.ts';

/**
 * Source of a lease's last renewal: the instance itself, or another registry in its name. A registry is known by the name
 * of its run, and has none when it does not say.
 */
export type RenewalSource =
  | { readonly by: 'instance' }
  | { readonly by: 'peer'; readonly name: string | undefined };

/** The instance itself. */
export const theInstance: RenewalSource = { by: 'instance' };

/**
 * An instance's place in the registry. Times are in ms since 1970, 0 where the thing has not happened. A renewal
 * changes `renewedAtMs` and `source` in place; for every other change there is a new lease.
 */
export interface Lease {
  readonly info: InstanceInfo;
  /** The status that readers see, see `resolveStatus`. */
  readonly status: InstanceStatus;
  /** The status that an operator has set. */
  readonly override: InstanceStatus | undefined;
  readonly registeredAtMs: number;
  readonly renewedAtMs: number;
  /** Time at which the instance was first UP. */
  readonly upSinceMs: number;
  /** Time at which something other than a renewal last changed the lease. */
  readonly updatedAtMs: number;
  readonly evictedAtMs: number;
  readonly lastAction: ActionType;
  readonly source: RenewalSource;
  /** Address that registered it; undefined when another registry did. */
  readonly registrant: string | undefined;
}

/** Time at which the lease ends unless it is renewed before. */
export function expiresAtMs({ renewedAtMs, info }: Lease): number {
  return renewedAtMs + info.durationMs;
}

/** Renewal intervals that may pass before a renewal counts as missed: one, and room for a slow network. */
const missedAfterIntervals = 1.5;

/** Tells whether a renewal was due and did not come. An expired lease is late, a late one need not have expired. */
export function isLate({ renewedAtMs, info }: Lease, nowMs: number): boolean {
  return nowMs - renewedAtMs >= Math.min(info.durationMs, info.renewalIntervalMs * missedAfterIntervals);
}
