import { createRandom, type Random } from './random.ts';

/** Something that is done to one process of the system. */
export interface Fault {
  /** When, in ms since the beginning. */
  readonly atMs: number;
  /** `kill`: SIGKILL, and a new start after `forMs`. `pause`: SIGSTOP, and SIGCONT after `forMs`, as a partition or a stall looks. */
  readonly kind: 'kill' | 'pause';
  /** Name of the process, such as `orders-2`. */
  readonly target: string;
  readonly forMs: number;
}

/** Options of a schedule. */
export interface ScheduleOptions {
  readonly seed: number;
  readonly seconds: number;
  /** Names of the processes. */
  readonly targets: readonly string[];
}

/** Time before the first fault, in which orders are placed in peace, in ms. */
const quietMs = 2_000;
/** Time between two faults, in ms. */
const gapMs = { min: 500, max: 3_500 };
/** Time that a process is away, in ms. A long pause outlasts a consumer's session and a lease in the registry. */
const awayMs = {
  kill: { min: 0, max: 4_000 },
  pause: { min: 200, max: 3_000 },
  longPause: { min: 11_000, max: 14_000 },
};
const pauseProbability = 0.25;
const longPauseProbability = 0.2;
/** Share of the faults that the base of the system gets, however many instances the others have. */
const baseProbability = 0.3;

/** Plans the faults of a run. The same options give the same schedule. A process that is away is left alone. */
export function planFaults({ seed, seconds, targets }: ScheduleOptions): Fault[] {
  const random = createRandom(seed).fork('schedule');
  const base = targets.filter(name => baseProcesses.includes(name));
  const others = targets.filter(name => !baseProcesses.includes(name));
  const backAtMs = new Map<string, number>();
  const faults: Fault[] = [];
  for (let atMs = quietMs; atMs < seconds * 1_000; atMs += random.between(gapMs.min, gapMs.max)) {
    const target = random.pick(base.length > 0 && random.chance(baseProbability) ? base : others);
    const { kind, forMs } = chooseKind(random, target);
    if (atMs < (backAtMs.get(target) ?? 0)) continue;
    backAtMs.set(target, atMs + forMs + restartMs);
    faults.push({ atMs, kind, target, forMs });
  }
  return faults;
}

/** Names of what the services stand on. */
const baseProcesses = ['postgres', 'kafka', 'discovery', 'gateway'];
/** About what a process needs to start, in ms. */
const restartMs = 3_000;

function chooseKind(random: Random, target: string): Pick<Fault, 'kind' | 'forMs'> {
  // A pause of the process that watches PostgreSQL would not touch the server.
  if (target === 'postgres' || !random.chance(pauseProbability))
    return { kind: 'kill', forMs: random.between(awayMs.kill.min, awayMs.kill.max) };
  const { min, max } = random.chance(longPauseProbability) ? awayMs.longPause : awayMs.pause;
  return { kind: 'pause', forMs: random.between(min, max) };
}
