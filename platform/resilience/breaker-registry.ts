import { Counter, Gauge, type Registry } from 'prom-client';
import {
  type Breaker,
  type BreakerOptions,
  type BreakerState,
  type CallKind,
  OpossumBreaker,
} from './circuit-breaker.ts';

const breakerStates: readonly BreakerState[] = ['CLOSED', 'OPEN', 'HALF_OPEN', 'FORCED_OPEN', 'DISABLED'];

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
      help: 'Calls through the breaker by outcome: successful, failed, timeout, ignored, not_permitted.',
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
    const breaker = new OpossumBreaker(name, options, {
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
