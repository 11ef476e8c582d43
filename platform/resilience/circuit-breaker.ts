import CircuitBreaker from 'opossum';
import { Counter, Gauge, type Registry } from 'prom-client';
import { PorticoError } from '../errors.ts';

/** State words of resilience4j. A forced state is an operator's, and stays until the operator takes it back. */
export type BreakerState = 'CLOSED' | 'OPEN' | 'HALF_OPEN' | 'FORCED_OPEN' | 'DISABLED';

/** When a breaker opens and tries again. */
export interface BreakerSettings {
  /** Longest time of one call in ms. @default 3000 */
  readonly timeoutMs: number;
  /** Share of failed calls in the window that opens the breaker, 1 to 100. @default 50 */
  readonly failureRatePercent: number;
  /** Fewest calls in the window before the rate counts. @default 5 */
  readonly minimumCalls: number;
  /** Length of the window in ms. @default 10000 */
  readonly windowMs: number;
  /** Time that the breaker stays open before one call may try, in ms. @default 5000 */
  readonly openMs: number;
}

export const defaultBreakerSettings: BreakerSettings = {
  timeoutMs: 3_000,
  failureRatePercent: 50,
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
  /** Calls and failures in the window. */
  readonly stats: { readonly calls: number; readonly failures: number; readonly rejected: number };
  /** Seconds until a call may try again, rounded up; 0 when calls pass. */
  readonly retryAfterSeconds: number;
  /**
   * Makes the call, unless the breaker is open. The signal aborts when the time is up.
   * @throws BreakerOpenError without calling; PorticoError SERVICE_TIMEOUT; whatever the call throws
   */
  run<T>(call: (signal: AbortSignal) => Promise<T>): Promise<T>;
  /** An operator's hand: refuse all calls, allow all calls without judging them, or go back to judging from closed. */
  force(state: 'FORCE_OPEN' | 'DISABLE' | 'CLOSE'): void;
  /** Forgets what was and judges anew, unless an operator has forced it. */
  reset(): void;
}

type Call = (signal: AbortSignal) => Promise<unknown>;

interface BreakerOptions {
  readonly settings?: Partial<BreakerSettings>;
  /** Whether an error says that the other side is unwell. A refusal that it means does not. @default every error */
  readonly isFailure?: (error: unknown) => boolean;
}

/** Every breaker of a process, with their metrics. */
export class BreakerRegistry {
  readonly #breakers = new Map<string, Breaker>();
  readonly #calls: Counter<'name' | 'kind'>;

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
  }

  get all(): readonly Breaker[] {
    return [...this.#breakers.values()];
  }

  get(name: string): Breaker | undefined {
    return this.#breakers.get(name);
  }

  /** Makes a breaker; its name is the thing that it guards. */
  create(name: string, options: BreakerOptions = {}): Breaker {
    const breaker = createBreaker(name, options, kind => this.#calls.inc({ name, kind }));
    this.#breakers.set(name, breaker);
    return breaker;
  }
}

const breakerStates: readonly BreakerState[] = ['CLOSED', 'OPEN', 'HALF_OPEN', 'FORCED_OPEN', 'DISABLED'];

type CallKind = 'successful' | 'failed' | 'timeout' | 'not_permitted';

function createBreaker(name: string, options: BreakerOptions, count: (kind: CallKind) => void): Breaker {
  const settings = { ...defaultBreakerSettings, ...options.settings };
  const { isFailure = () => true } = options;
  let forced: 'FORCED_OPEN' | 'DISABLED' | undefined;
  let openedAtMs = 0;

  const circuit = new CircuitBreaker<[Call, AbortSignal], unknown>((call, signal) => call(signal), {
    name,
    timeout: settings.timeoutMs,
    // opossum opens above its threshold; a rate of exactly `failureRatePercent` opens here.
    errorThresholdPercentage: settings.failureRatePercent - 1e-6,
    volumeThreshold: settings.minimumCalls,
    rollingCountTimeout: settings.windowMs,
    resetTimeout: settings.openMs,
    errorFilter: error => !isFailure(error),
    enableSnapshots: false,
  });
  circuit.on('open', () => {
    openedAtMs = Date.now();
  });
  circuit.on('success', () => count('successful'));
  circuit.on('timeout', () => count('timeout'));
  circuit.on('failure', error => {
    if (!isTimeout(error)) count('failed');
  });

  function retryAfterSeconds(): number {
    if (forced === 'FORCED_OPEN') return Math.ceil(settings.openMs / 1000);
    if (forced === 'DISABLED' || !circuit.opened) return 0;
    return Math.max(1, Math.ceil((openedAtMs + settings.openMs - Date.now()) / 1000));
  }

  function refuse(): never {
    count('not_permitted');
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
      const { fires, failures, rejects } = circuit.stats;
      return { calls: fires - rejects, failures, rejected: rejects };
    },
    get retryAfterSeconds() {
      return retryAfterSeconds();
    },
    async run<T>(call: (signal: AbortSignal) => Promise<T>): Promise<T> {
      if (forced === 'FORCED_OPEN') refuse();
      const controller = new AbortController();
      try {
        return (await circuit.fire(call, controller.signal)) as T;
      } catch (error) {
        if (isRefusal(error)) refuse();
        if (!isTimeout(error)) throw error;
        const timeout = new PorticoError(
          'SERVICE_TIMEOUT',
          `${name} expected to answer within ${settings.timeoutMs} ms, but did not`,
          { cause: error, details: { service: name } },
        );
        controller.abort(timeout);
        throw timeout;
      }
    },
    force(state) {
      forced = state === 'FORCE_OPEN' ? 'FORCED_OPEN' : state === 'DISABLE' ? 'DISABLED' : undefined;
      if (state === 'DISABLE') circuit.disable();
      else circuit.enable();
      if (state === 'CLOSE') circuit.close();
    },
    reset() {
      if (!forced) circuit.close();
    },
  };
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
