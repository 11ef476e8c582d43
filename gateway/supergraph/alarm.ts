/** Rings at the earliest of the times that it was set to, once: what happens often puts nothing off. */
export interface Alarm {
  /** @param afterMs time until it rings, in ms, unless it rings earlier anyway */
  set(afterMs: number): void;
  /** Rings no more. */
  stop(): void;
}

/** Makes an alarm that is not set. */
export function createAlarm(ring: () => void): Alarm {
  let timer: NodeJS.Timeout | undefined;
  let atMs = Number.POSITIVE_INFINITY;
  let stopped = false;
  return {
    set(afterMs) {
      const nextMs = performance.now() + afterMs;
      if (stopped || nextMs >= atMs) return;
      clearTimeout(timer);
      atMs = nextMs;
      timer = setTimeout(() => {
        atMs = Number.POSITIVE_INFINITY;
        ring();
      }, afterMs);
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
