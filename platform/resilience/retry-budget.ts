/** Bounds retries to a share of the requests, so that they never make an overload worse. */
export interface RetryBudget {
  /** Counts a request that was made for the first time. */
  request(): void;
  /** Takes a retry out of the budget; false when it is used up. */
  tryRetry(): boolean;
}

interface RetryBudgetOptions {
  /** Retries for each request, 0 to 1. @default 0.2 */
  readonly ratio?: number;
  /** Retries in a second that are allowed however few the requests are. @default 10 */
  readonly minPerSecond?: number;
  /** Time that a request counts, in ms. @default 10000 */
  readonly windowMs?: number;
  readonly now?: () => number;
}

const buckets = 10;

/**
 * Makes a retry budget, as Finagle has it: a request in the window pays for `ratio` retries.
 *
 * @see https://twitter.github.io/finagle/guide/Clients.html#retries
 */
export function createRetryBudget(options: RetryBudgetOptions = {}): RetryBudget {
  const { ratio = 0.2, minPerSecond = 10, windowMs = 10_000, now = Date.now } = options;
  const bucketMs = windowMs / buckets;
  const balances = Array.from({ length: buckets }, () => 0);
  let current = Math.floor(now() / bucketMs);

  /** Forgets what has left the window. */
  function advance(): number {
    const bucket = Math.floor(now() / bucketMs);
    for (let gone = Math.max(current + 1, bucket - buckets + 1); gone <= bucket; gone++)
      balances[gone % buckets] = 0;
    current = bucket;
    return bucket % buckets;
  }

  function add(amount: number): void {
    const index = advance();
    balances[index] = (balances[index] ?? 0) + amount;
  }

  return {
    request: () => add(ratio),
    tryRetry() {
      advance();
      const balance = balances.reduce((sum, amount) => sum + amount, 0) + (minPerSecond * windowMs) / 1000;
      if (balance < 1) return false;
      add(-1);
      return true;
    },
  };
}
