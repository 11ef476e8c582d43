import { setTimeout as delay } from 'node:timers/promises';

interface BackoffOptions {
  /** Wait after the first failure, in ms. @default 100 */
  readonly firstMs?: number;
  /** Longest wait, in ms. @default 5000 */
  readonly maxMs?: number;
}

/** Waits between attempts that fail: each is twice as long as the one before, up to the longest. */
export class Backoff {
  readonly #firstMs: number;
  readonly #maxMs: number;
  #nextMs: number;

  constructor({ firstMs = 100, maxMs = 5_000 }: BackoffOptions = {}) {
    this.#firstMs = firstMs;
    this.#maxMs = maxMs;
    this.#nextMs = firstMs;
  }

  /** @returns the wait until the next attempt, in ms */
  next(): number {
    const waitMs = this.#nextMs;
    this.#nextMs = Math.min(waitMs * 2, this.#maxMs);
    return waitMs;
  }

  /** Begins with the first wait again, because an attempt has succeeded. */
  reset(): void {
    this.#nextMs = this.#firstMs;
  }
}

/** Waits for a time in ms, or until the signal aborts, whichever comes first. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => {});
}
