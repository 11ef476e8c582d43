import type { Closable } from '../../platform/lifecycle.ts';
import type { InstanceRegistry } from './registry.ts';

/** Longest time between two looks at the clock; a timer cannot be set for much longer. */
const maxWaitMs = 60_000;

/** Ends leases when their time has come: sleeps until the first can end, and no longer than a new one allows. */
export function startEvictions(registry: InstanceRegistry, now: () => number): Closable {
  let timer: NodeJS.Timeout | undefined;
  let dueAtMs = Number.POSITIVE_INFINITY;

  function schedule(): void {
    const nextMs = registry.nextReviewAtMs;
    if (nextMs === undefined || nextMs >= dueAtMs) return;
    clearTimeout(timer);
    dueAtMs = nextMs;
    timer = setTimeout(review, Math.min(Math.max(0, Math.ceil(nextMs - now())), maxWaitMs));
  }

  function review(): void {
    dueAtMs = Number.POSITIVE_INFINITY;
    registry.evictExpired();
    schedule();
  }

  const stop = registry.onChange(schedule);
  schedule();
  return {
    async close() {
      stop();
      clearTimeout(timer);
    },
  };
}
