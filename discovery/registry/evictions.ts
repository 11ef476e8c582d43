import { EarliestTimer } from '../../platform/earliest-timer.ts';
import type { Closable } from '../../platform/lifecycle.ts';
import type { InstanceRegistry } from './registry.ts';

/** Longest time between two looks at the clock; a timer cannot be set for much longer. */
const maxWaitMs = 60_000;

/** Ends leases when their time has come: sleeps until the first can end, and no longer than a new one allows. */
export function startEvictions(registry: InstanceRegistry, now: () => number): Closable {
  const timer = new EarliestTimer(() => {
    registry.evictExpired();
    schedule();
  });

  function schedule(): void {
    const nextMs = registry.nextReviewAtMs;
    if (nextMs !== undefined) timer.schedule(Math.min(Math.max(0, Math.ceil(nextMs - now())), maxWaitMs));
  }

  const stop = registry.onChange(schedule);
  schedule();
  return {
    async close() {
      stop();
      timer.stop();
    },
  };
}
