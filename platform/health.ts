import { messageOf } from './errors.ts';

/** Status words of Spring Boot's Actuator. */
export type HealthStatus = 'UP' | 'DOWN' | 'OUT_OF_SERVICE' | 'UNKNOWN';

/** Health of one part of the process. */
export interface ComponentHealth {
  readonly status: HealthStatus;
  readonly details?: Record<string, unknown>;
}

/** Health of the whole process, as `/actuator/health` writes it. */
export interface Health extends ComponentHealth {
  readonly components: Record<string, ComponentHealth>;
}

type Indicator = () => ComponentHealth | Promise<ComponentHealth>;

/** Probe that asks: `liveness` (restart me?), `readiness` (send me requests?), or all of it. */
export type HealthGroup = 'liveness' | 'readiness' | 'all';

interface IndicatorOptions {
  /** Probes that this indicator decides. An indicator in neither is shown, and decides nothing. */
  readonly groups?: readonly Exclude<HealthGroup, 'all'>[];
}

const worstFirst: readonly HealthStatus[] = ['DOWN', 'OUT_OF_SERVICE', 'UP', 'UNKNOWN'];

/** Health of one process: named indicators, asked when somebody asks. */
export class HealthRegistry {
  readonly #indicators = new Map<
    string,
    { check: Indicator; groups: readonly Exclude<HealthGroup, 'all'>[] }
  >();
  readonly #awaited: Promise<void>[] = [];
  #accepting = false;

  constructor() {
    this.add('readinessState', () => ({ status: this.#accepting ? 'UP' : 'OUT_OF_SERVICE' }), {
      groups: ['readiness'],
    });
    this.add('livenessState', () => ({ status: 'UP' }), { groups: ['liveness'] });
  }

  /** Adds a part of the process to its health. */
  add(name: string, check: Indicator, { groups = ['readiness'] }: IndicatorOptions = {}): void {
    this.#indicators.set(name, { check, groups });
  }

  /**
   * Holds readiness back until something has come that the process cannot begin without. It may go later: that changes
   * nothing.
   *
   * @param missing says until then what is missing, and what to do
   */
  awaitOnce(name: string, coming: Promise<void>, missing: string): void {
    let health: ComponentHealth = { status: 'OUT_OF_SERVICE', details: { missing } };
    this.#awaited.push(
      coming.then(() => {
        health = { status: 'UP' };
      }),
    );
    this.add(name, () => health);
  }

  /** Resolves when everything has come that readiness was held back for until now. */
  async awaited(): Promise<void> {
    await Promise.all(this.#awaited);
  }

  /** Says that the process takes requests. */
  acceptTraffic(): void {
    this.#accepting = true;
  }

  /** Says that the process takes no more requests: the first step of a shutdown. */
  refuseTraffic(): void {
    this.#accepting = false;
  }

  /** Asks every indicator of the group; the worst status decides. An indicator that throws is DOWN. */
  async check(group: HealthGroup = 'all'): Promise<Health> {
    const asked = [...this.#indicators].filter(([, { groups }]) => group === 'all' || groups.includes(group));
    const answered = await Promise.all(
      asked.map(async ([name, { check }]): Promise<[string, ComponentHealth]> => {
        try {
          return [name, await check()];
        } catch (error) {
          return [name, { status: 'DOWN', details: { error: messageOf(error) } }];
        }
      }),
    );
    const deciding = answered.filter(([name]) => (this.#indicators.get(name)?.groups.length ?? 0) > 0);
    const status = worstFirst.find(word => deciding.some(([, { status }]) => status === word)) ?? 'UP';
    return { status, components: Object.fromEntries(answered) };
  }
}
