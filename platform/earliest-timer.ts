/** Calls back at the earliest of the times that were scheduled, once. What is scheduled often puts nothing off. */
export class EarliestTimer {
  readonly #callback: () => void;
  #timer: NodeJS.Timeout | undefined;
  #dueAtMs = Number.POSITIVE_INFINITY;
  #stopped = false;

  constructor(callback: () => void) {
    this.#callback = callback;
  }

  /** Calls back after a time in ms, unless an earlier call is due anyway. */
  schedule(afterMs: number): void {
    const dueAtMs = performance.now() + afterMs;
    if (this.#stopped || dueAtMs >= this.#dueAtMs) return;
    clearTimeout(this.#timer);
    this.#dueAtMs = dueAtMs;
    this.#timer = setTimeout(() => {
      this.#dueAtMs = Number.POSITIVE_INFINITY;
      this.#callback();
    }, afterMs);
  }

  /** Calls back no more. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }
}
