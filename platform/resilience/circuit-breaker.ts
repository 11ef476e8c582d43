import CircuitBreaker from 'opossum';
import { PorticoError } from '../errors.ts';
import { type CallCounts, type CallOutcome, CallWindow } from './call-window.ts';
import { Deadline } from './deadline.ts';

/** State words of resilience4j. A forced state is an operator's, and stays until the operator takes it back. */
export type BreakerState = 'CLOSED' | 'OPEN' | 'HALF_OPEN' | 'FORCED_OPEN' | 'DISABLED';

/** Limits at which a breaker opens and tries again. */
export interface BreakerSettings {
  /** Longest time of one call in ms. @default 3000 */
  readonly timeoutMs: number;
  /** Share of failed calls in the window that opens the breaker, 1 to 100. @default 50 */
  readonly failureRatePercent: number;
  /** Time from which a call counts as slow, in ms, whatever comes of it. @default Infinity: none does */
  readonly slowCallMs: number;
  /** Share of slow calls in the window that opens the breaker, 1 to 100. @default 100 */
  readonly slowCallRatePercent: number;
  /** Fewest calls in the window before the rates count. @default 5 */
  readonly minimumCalls: number;
  /** Length of the window in ms. @default 10000 */
  readonly windowMs: number;
  /** Time that the breaker stays open before one call may try, in ms. @default 5000 */
  readonly openMs: number;
}

export const defaultBreakerSettings: BreakerSettings = {
  timeoutMs: 3_000,
  failureRatePercent: 50,
  slowCallMs: Number.POSITIVE_INFINITY,
  slowCallRatePercent: 100,
  minimumCalls: 5,
  windowMs: 10_000,
  openMs: 5_000,
};

/** The breaker refused a call without making it. */
export class BreakerOpenError extends PorticoError {
  /** Seconds until the breaker lets a call try, rounded up. */
  readonly retryAfterSeconds: number;
  constructor(name: string, retryAfterSeconds: number) {
    super('SERVICE_UNAVAILABLE', `${name} is unavailable: its circuit breaker is open`, {
      details: { service: name, retryAfterSeconds },
    });
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** A call took longer than it may. */
class CallTimeoutError extends PorticoError {
  constructor(name: string, timeoutMs: number) {
    super('SERVICE_TIMEOUT', `${name} did not answer within ${timeoutMs} ms`, { details: { service: name } });
  }
}

/** Guards calls to one thing that may fail. */
export interface Breaker {
  readonly name: string;
  readonly state: BreakerState;
  readonly settings: BreakerSettings;
  /** Counts of the window. It begins anew when the breaker closes. */
  readonly stats: CallCounts;
  /** Seconds until a call may try again, rounded up; 0 when calls pass. */
  readonly retryAfterSeconds: number;
  /**
   * Makes the call, unless the breaker is open.
   * @throws BreakerOpenError without calling; PorticoError SERVICE_TIMEOUT; whatever the call throws
   */
  run<T>(call: (deadline: Deadline) => Promise<T>): Promise<T>;
  /** An operator's hand: refuse all calls, allow all calls without judging them, or go back to judging from closed. */
  force(state: 'FORCE_OPEN' | 'DISABLE' | 'CLOSE'): void;
  /** Forgets what was and judges anew, unless an operator has forced it. */
  reset(): void;
}

type Call = (deadline: Deadline) => Promise<unknown>;

/** Options of one breaker. */
export interface BreakerOptions {
  readonly settings?: Partial<BreakerSettings>;
  /** Tells whether an error says that the other side is unwell. A refusal that it means does not. @default every error */
  readonly isFailure?: (error: unknown) => boolean;
  /** Tells whether an error says nothing of the other side, for example that the caller has left. @default none does */
  readonly isIgnored?: (error: unknown) => boolean;
}

/** Outcome of a call, as the metrics name it. */
export type CallKind = 'successful' | 'failed' | 'timeout' | 'ignored' | 'not_permitted';

/** Counters of one breaker. */
export interface CallCounters {
  readonly call: (kind: CallKind) => void;
  readonly slow: () => void;
}

/**
 * The breaker: opossum has the states and the one call that tries; the rates are ours, as resilience4j has them,
 * because opossum knows no slow calls, and goes on counting what failed before it closed.
 *
 * @see https://resilience4j.readme.io/docs/circuitbreaker
 */
export class OpossumBreaker implements Breaker {
  readonly name: string;
  readonly settings: BreakerSettings;
  readonly #isFailure: (error: unknown) => boolean;
  readonly #isIgnored: (error: unknown) => boolean;
  readonly #count: CallCounters;
  readonly #window: CallWindow;
  readonly #circuit: CircuitBreaker<[Call, Deadline], unknown>;
  #forced: 'FORCED_OPEN' | 'DISABLED' | undefined;
  #openedAtMs = 0;
  /** True if the next call that ends decides what a half-open breaker becomes. */
  #isTrying = false;

  constructor(name: string, options: BreakerOptions, count: CallCounters) {
    this.name = name;
    this.settings = { ...defaultBreakerSettings, ...options.settings };
    this.#isFailure = options.isFailure ?? (() => true);
    this.#isIgnored = options.isIgnored ?? (() => false);
    this.#count = count;
    this.#window = new CallWindow(this.settings.windowMs);
    this.#circuit = new CircuitBreaker<[Call, Deadline], unknown>(this.#runInTime.bind(this), {
      name,
      // A time of opossum's own would not know of an answer that has come and is not read yet.
      timeout: false,
      // Never opens by itself, but when the one call fails that tries.
      volumeThreshold: Number.MAX_SAFE_INTEGER,
      resetTimeout: this.settings.openMs,
      // What is ignored does not close it.
      errorFilter: error => this.#kindOf(error) === 'successful',
      enableSnapshots: false,
    });
    this.#followCircuit();
  }

  get state(): BreakerState {
    if (this.#forced) return this.#forced;
    return this.#circuit.opened ? 'OPEN' : this.#circuit.halfOpen ? 'HALF_OPEN' : 'CLOSED';
  }

  get stats(): CallCounts {
    return this.#window.counts;
  }

  get retryAfterSeconds(): number {
    const { openMs } = this.settings;
    if (this.#forced === 'FORCED_OPEN') return Math.ceil(openMs / 1000);
    if (this.#forced === 'DISABLED' || !this.#circuit.opened) return 0;
    return Math.max(1, Math.ceil((this.#openedAtMs + openMs - Date.now()) / 1000));
  }

  async run<T>(call: (deadline: Deadline) => Promise<T>): Promise<T> {
    if (this.#forced === 'FORCED_OPEN') this.#refuse();
    if (this.#forced === 'DISABLED') return this.#runInTime(call, new Deadline());
    return this.#circuit.closed ? this.#runClosed(call) : this.#runOpen(call);
  }

  force(state: 'FORCE_OPEN' | 'DISABLE' | 'CLOSE'): void {
    this.#forced = state === 'FORCE_OPEN' ? 'FORCED_OPEN' : state === 'DISABLE' ? 'DISABLED' : undefined;
    if (state === 'DISABLE') this.#circuit.disable();
    else this.#circuit.enable();
    if (state !== 'CLOSE') return;
    this.#circuit.close();
    this.#window.clear();
  }

  reset(): void {
    if (!this.#forced) this.#circuit.close();
  }

  #followCircuit(): void {
    const { slowCallMs } = this.settings;
    this.#circuit.on('open', () => {
      this.#openedAtMs = Date.now();
    });
    this.#circuit.on('halfOpen', () => {
      this.#isTrying = true;
    });
    this.#circuit.on('close', () => this.#window.clear());
    this.#circuit.on('success', (_result, latencyMs) => {
      this.#count.call('successful');
      this.#judge({ failed: false, slow: latencyMs >= slowCallMs });
    });
    this.#circuit.on('failure', (error, latencyMs) => {
      const kind = this.#kindOf(error);
      this.#count.call(kind);
      if (kind === 'ignored') this.#isTrying = false;
      else this.#judge({ failed: true, slow: latencyMs >= slowCallMs });
    });
  }

  /** Makes a call while the circuit is closed. opossum would do the same in ten times the time. */
  async #runClosed<T>(call: (deadline: Deadline) => Promise<T>): Promise<T> {
    const startedAtMs = Date.now();
    const deadline = new Deadline();
    try {
      const result = await this.#runInTime(call, deadline);
      this.#ended('successful', startedAtMs);
      return result;
    } catch (error) {
      this.#ended(this.#kindOf(error), startedAtMs);
      throw error;
    }
  }

  #kindOf(error: unknown): CallKind {
    if (error instanceof CallTimeoutError) return 'timeout';
    if (this.#isIgnored(error)) return 'ignored';
    return this.#isFailure(error) ? 'failed' : 'successful';
  }

  #ended(kind: CallKind, startedAtMs: number): void {
    this.#count.call(kind);
    // A call that was begun before the circuit opened says nothing about what came after.
    if (!this.#circuit.closed || kind === 'ignored') return;
    const slow = Date.now() - startedAtMs >= this.settings.slowCallMs;
    this.#judge({ failed: kind !== 'successful', slow });
  }

  #runInTime<T>(call: (deadline: Deadline) => Promise<T>, deadline: Deadline): Promise<T> {
    const { timeoutMs } = this.settings;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const reason = new CallTimeoutError(this.name, timeoutMs);
        if (deadline.pass(reason)) reject(reason);
      }, timeoutMs);
      call(deadline)
        .finally(() => clearTimeout(timer))
        .then(resolve, reject);
    });
  }

  /** Makes a call if it is the one that tries whether the circuit can be closed. */
  async #runOpen<T>(call: (deadline: Deadline) => Promise<T>): Promise<T> {
    try {
      return (await this.#circuit.fire(call, new Deadline())) as T;
    } catch (error) {
      if (isRefusal(error)) this.#refuse();
      throw error;
    }
  }

  #judge(outcome: CallOutcome): void {
    const { minimumCalls, failureRatePercent, slowCallRatePercent } = this.settings;
    this.#window.add(outcome);
    if (outcome.slow) this.#count.slow();
    const { calls, failures, slow } = this.#window.counts;
    const tooMany =
      calls >= minimumCalls &&
      (percentOf(failures, calls) >= failureRatePercent || percentOf(slow, calls) >= slowCallRatePercent);
    // A slow answer to the call that tries has closed the circuit already.
    const triedInVain = this.#isTrying && (outcome.failed || outcome.slow);
    this.#isTrying = false;
    if (tooMany || triedInVain) this.#circuit.open();
  }

  #refuse(): never {
    this.#count.call('not_permitted');
    this.#window.addRejected();
    throw new BreakerOpenError(this.name, Math.max(1, this.retryAfterSeconds));
  }
}

/** Tells whether opossum has refused a call. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof Error) || !CircuitBreaker.isOurError(error)) return false;
  return (error as NodeJS.ErrnoException).code === 'EOPENBREAKER';
}

function percentOf(part: number, whole: number): number {
  return (part / whole) * 100;
}
