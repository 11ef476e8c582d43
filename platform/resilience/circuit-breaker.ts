import CircuitBreaker from 'opossum';
import { Counter, Gauge, type Registry } from 'prom-client';
import { PorticoError } from '../errors.ts';
import { type CallCounts, type CallOutcome, CallWindow } from './call-window.ts';
import { Deadline } from './deadline.ts';

/** State words of resilience4j. A forced state is an operator's, and stays until the operator takes it back. */
export type BreakerState = 'CLOSED' | 'OPEN' | 'HALF_OPEN' | 'FORCED_OPEN' | 'DISABLED';

/** When a breaker opens and tries again. */
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

/** Guards calls to one thing that may fail. */
export interface Breaker {
  readonly name: string;
  readonly state: BreakerState;
  readonly settings: BreakerSettings;
  /** What is in the window. It begins anew when the breaker closes. */
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

interface BreakerOptions {
  readonly settings?: Partial<BreakerSettings>;
  /** Whether an error says that the other side is unwell. A refusal that it means does not. @default every error */
  readonly isFailure?: (error: unknown) => boolean;
}

/** Every breaker of a process, with their metrics. */
export class BreakerRegistry {
  readonly #breakers = new Map<string, Breaker>();
  readonly #calls: Counter<'name' | 'kind'>;
  readonly #slowCalls: Counter<'name'>;

  constructor(metrics: Registry) {
    const breakers = this.#breakers;
    new Gauge({
      name: 'circuitbreaker_state',
      help: '1 for the state that the breaker is in, 0 for the others.',
      labelNames: ['name', 'state'],
      registers: [metrics],
      collect() {
        for (const { name, state } of breakers.values())
          for (const each of breakerStates) this.set({ name, state: each }, each === state ? 1 : 0);
      },
    });
    this.#calls = new Counter({
      name: 'circuitbreaker_calls_total',
      help: 'Calls through the breaker by outcome: successful, failed, timeout, not_permitted.',
      labelNames: ['name', 'kind'],
      registers: [metrics],
    });
    this.#slowCalls = new Counter({
      name: 'circuitbreaker_slow_calls_total',
      help: 'Calls through the breaker that took too long, whatever came of them.',
      labelNames: ['name'],
      registers: [metrics],
    });
  }

  get all(): readonly Breaker[] {
    return [...this.#breakers.values()];
  }

  get(name: string): Breaker | undefined {
    return this.#breakers.get(name);
  }

  /** Makes a breaker; its name is the thing that it guards. */
  create(name: string, options: BreakerOptions = {}): Breaker {
    const slowCalls = this.#slowCalls.labels(name);
    const callsByKind = new Map<CallKind, Counter.Internal>();
    const breaker = createBreaker(name, options, {
      call: kind => {
        const calls = callsByKind.get(kind) ?? this.#calls.labels(name, kind);
        callsByKind.set(kind, calls);
        calls.inc();
      },
      slow: () => slowCalls.inc(),
    });
    this.#breakers.set(name, breaker);
    return breaker;
  }
}

const breakerStates: readonly BreakerState[] = ['CLOSED', 'OPEN', 'HALF_OPEN', 'FORCED_OPEN', 'DISABLED'];

type CallKind = 'successful' | 'failed' | 'timeout' | 'not_permitted';

interface CallCounters {
  readonly call: (kind: CallKind) => void;
  readonly slow: () => void;
}

/**
 * Makes a breaker: opossum has the states and the one call that tries; the rates are ours, as resilience4j has them,
 * because opossum knows no slow calls, and goes on counting what failed before it closed.
 *
 * @see https://resilience4j.readme.io/docs/circuitbreaker
 */
function createBreaker(name: string, options: BreakerOptions, count: CallCounters): Breaker {
  const settings = { ...defaultBreakerSettings, ...options.settings };
  const { isFailure = () => true } = options;
  const window = new CallWindow(settings.windowMs);
  let forced: 'FORCED_OPEN' | 'DISABLED' | undefined;
  let openedAtMs = 0;
  /** Whether the next call that ends decides what a half-open breaker becomes. */
  let trying = false;

  const circuit = new CircuitBreaker<[Call, Deadline], unknown>((call, deadline) => call(deadline), {
    name,
    timeout: settings.timeoutMs,
    // Never opens by itself, but when the one call fails that tries.
    volumeThreshold: Number.MAX_SAFE_INTEGER,
    resetTimeout: settings.openMs,
    errorFilter: error => !isFailure(error),
    enableSnapshots: false,
  });
  circuit.on('open', () => {
    openedAtMs = Date.now();
  });
  circuit.on('halfOpen', () => {
    trying = true;
  });
  circuit.on('close', () => window.clear());
  circuit.on('success', (_result, latencyMs) => {
    count.call('successful');
    judge({ failed: false, slow: latencyMs >= settings.slowCallMs });
  });
  circuit.on('failure', (error, latencyMs) => {
    count.call(isTimeout(error) ? 'timeout' : 'failed');
    judge({ failed: true, slow: latencyMs >= settings.slowCallMs });
  });

  /** Makes a call while the circuit is closed. opossum would do the same in ten times the time. */
  async function runClosed<T>(call: (deadline: Deadline) => Promise<T>): Promise<T> {
    const startedAtMs = Date.now();
    const end = (kind: CallKind) => {
      count.call(kind);
      // A call that was begun before the circuit opened says nothing about what came after.
      if (circuit.closed)
        judge({ failed: kind !== 'successful', slow: Date.now() - startedAtMs >= settings.slowCallMs });
    };
    const deadline = new Deadline();
    try {
      const result = await inTime(call, deadline);
      end('successful');
      return result;
    } catch (error) {
      end(error === deadline.reason ? 'timeout' : isFailure(error) ? 'failed' : 'successful');
      throw error;
    }
  }

  function inTime<T>(call: (deadline: Deadline) => Promise<T>, deadline: Deadline): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const reason = timedOut(name, settings.timeoutMs);
        deadline.pass(reason);
        reject(reason);
      }, settings.timeoutMs);
      call(deadline)
        .finally(() => clearTimeout(timer))
        .then(resolve, reject);
    });
  }

  /** Makes a call if it is the one that tries whether the circuit can be closed. */
  async function runOpen<T>(call: (deadline: Deadline) => Promise<T>): Promise<T> {
    const deadline = new Deadline();
    try {
      return (await circuit.fire(call, deadline)) as T;
    } catch (error) {
      if (isRefusal(error)) refuse();
      if (!isTimeout(error)) throw error;
      const timeout = timedOut(name, settings.timeoutMs, error);
      deadline.pass(timeout);
      throw timeout;
    }
  }

  function judge(outcome: CallOutcome): void {
    window.add(outcome);
    if (outcome.slow) count.slow();
    const { calls, failures, slow } = window.counts;
    const tooMany =
      calls >= settings.minimumCalls &&
      (percentOf(failures, calls) >= settings.failureRatePercent ||
        percentOf(slow, calls) >= settings.slowCallRatePercent);
    // A slow answer to the call that tries has closed the circuit already.
    const triedInVain = trying && (outcome.failed || outcome.slow);
    trying = false;
    if (tooMany || triedInVain) circuit.open();
  }

  function retryAfterSeconds(): number {
    if (forced === 'FORCED_OPEN') return Math.ceil(settings.openMs / 1000);
    if (forced === 'DISABLED' || !circuit.opened) return 0;
    return Math.max(1, Math.ceil((openedAtMs + settings.openMs - Date.now()) / 1000));
  }

  function refuse(): never {
    count.call('not_permitted');
    window.addRejected();
    throw new BreakerOpenError(name, Math.max(1, retryAfterSeconds()));
  }

  return {
    name,
    settings,
    get state() {
      if (forced) return forced;
      return circuit.opened ? 'OPEN' : circuit.halfOpen ? 'HALF_OPEN' : 'CLOSED';
    },
    get stats() {
      return window.counts;
    },
    get retryAfterSeconds() {
      return retryAfterSeconds();
    },
    async run<T>(call: (deadline: Deadline) => Promise<T>): Promise<T> {
      if (forced === 'FORCED_OPEN') refuse();
      if (forced === 'DISABLED') return inTime(call, new Deadline());
      return circuit.closed ? runClosed(call) : runOpen(call);
    },
    force(state) {
      forced = state === 'FORCE_OPEN' ? 'FORCED_OPEN' : state === 'DISABLE' ? 'DISABLED' : undefined;
      if (state === 'DISABLE') circuit.disable();
      else circuit.enable();
      if (state !== 'CLOSE') return;
      circuit.close();
      window.clear();
    },
    reset() {
      if (!forced) circuit.close();
    },
  };
}

function timedOut(name: string, timeoutMs: number, cause?: unknown): PorticoError {
  return new PorticoError(
    'SERVICE_TIMEOUT',
    `${name} expected to answer within ${timeoutMs} ms, but did not`,
    {
      cause,
      details: { service: name },
    },
  );
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && CircuitBreaker.isOurError(error)
    ? (error as NodeJS.ErrnoException).code
    : undefined;
}

function isTimeout(error: unknown): boolean {
  return codeOf(error) === 'ETIMEDOUT';
}

function isRefusal(error: unknown): boolean {
  return codeOf(error) === 'EOPENBREAKER';
}

function percentOf(part: number, whole: number): number {
  return (part / whole) * 100;
}
