/** Calls of a while, by what came of them. */
export interface CallCounts {
  /** Calls that ended. */
  readonly calls: number;
  readonly failures: number;
  /** Calls that took too long, whatever came of them. */
  readonly slow: number;
  readonly slowFailures: number;
  /** Calls that were refused without being made. */
  readonly rejected: number;
}

/** Outcome of one call. */
export interface CallOutcome {
  readonly failed: boolean;
  readonly slow: boolean;
}

type Bucket = { -readonly [Key in keyof CallCounts]: number };

const emptyBucket = (): Bucket => ({ calls: 0, failures: 0, slow: 0, slowFailures: 0, rejected: 0 });

/** Parts of the window; it moves on by one of them at a time. */
const bucketCount = 10;

/** Counts calls over a window of time that moves along. */
export class CallWindow {
  readonly #bucketMs: number;
  readonly #bucketByIndex = new Map<number, Bucket>();
  /** Index of the bucket at which old ones were looked for. */
  #lookedAt = 0;
  /** Sums of the buckets. */
  readonly #counts = emptyBucket();

  /** @param windowMs length of the window in ms */
  constructor(windowMs: number) {
    this.#bucketMs = windowMs / bucketCount;
  }

  add({ failed, slow }: CallOutcome): void {
    this.#count('calls');
    if (failed) this.#count('failures');
    if (slow) this.#count('slow');
    if (failed && slow) this.#count('slowFailures');
  }

  addRejected(): void {
    this.#count('rejected');
  }

  /** Sums of what is in the window now. */
  get counts(): CallCounts {
    this.#forgetOld();
    return { ...this.#counts };
  }

  clear(): void {
    this.#bucketByIndex.clear();
    Object.assign(this.#counts, emptyBucket());
  }

  #count(what: keyof Bucket): void {
    this.#current()[what] += 1;
    this.#counts[what] += 1;
  }

  #index(): number {
    return Math.floor(Date.now() / this.#bucketMs);
  }

  #current(): Bucket {
    const index = this.#index();
    const bucket = this.#bucketByIndex.get(index) ?? emptyBucket();
    this.#bucketByIndex.set(index, bucket);
    return bucket;
  }

  #forgetOld(): void {
    const now = this.#index();
    if (now === this.#lookedAt) return;
    this.#lookedAt = now;
    const oldest = now - bucketCount;
    for (const [index, bucket] of this.#bucketByIndex) {
      if (index > oldest) continue;
      this.#bucketByIndex.delete(index);
      for (const name of Object.keys(bucket) as (keyof Bucket)[]) this.#counts[name] -= bucket[name];
    }
  }
}
