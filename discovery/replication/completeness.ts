import type { Closable } from '../../platform/lifecycle.ts';

/** True if the registry has been up long enough to know every instance. */
export interface Completeness extends Closable {
  readonly complete: boolean;
}

interface CompletenessOptions {
  /** True if a peer that knows every instance was copied. */
  readonly copied: boolean;
  /** Time in which every instance renews, and registers again when it is not known. */
  readonly warmupMs: number;
  /** Called once, if the registry was not complete at first. */
  readonly onComplete: () => void;
}

/** Starts waiting for the registry to be complete, where it is not. */
export function startCompleteness({ copied, warmupMs, onComplete }: CompletenessOptions): Completeness {
  let complete = copied || warmupMs === 0;
  const timer = complete
    ? undefined
    : setTimeout(() => {
        complete = true;
        onComplete();
      }, warmupMs);
  return {
    get complete() {
      return complete;
    },
    async close() {
      clearTimeout(timer);
    },
  };
}
