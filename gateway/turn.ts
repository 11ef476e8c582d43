import TinyQueue from 'tinyqueue';
import { afterMicrotasks } from './after-microtasks.ts';

/** Time that operations have their turns before the process looks for what has come over the network, in ms. */
const roundMs = 1;
/** For each ms that an operation has kept the process busy, operations go first that began so many ms later. */
const yieldedPerMs = 4;

interface Waiting {
  readonly turn: Turn;
  readonly rank: number;
  readonly goOn: () => void;
}

/**
 * An operation's claim to the process's time. The oldest operation goes first, so that no more are begun at once than it takes to
 * keep the process busy: the data of each lives for a short time, which spares the garbage collector. One that takes much time
 * yields to those that began after it. While the process has time for all, nobody waits.
 */
export class Turn {
  readonly #beganAtMs = performance.now();
  #busyMs = 0;

  /** Waits until what has come over the network at the same time is known, and those that go first have had their turns. */
  wait(): Promise<void> {
    const rank = this.#beganAtMs + this.#busyMs * yieldedPerMs;
    return new Promise(goOn => queue.add({ turn: this, rank, goOn }));
  }

  /** Counts time for which it has kept the process busy. */
  keptBusy(ms: number): void {
    this.#busyMs += ms;
  }
}

/** Turns that wait. */
class TurnQueue {
  readonly #waiting = new TinyQueue<Waiting>([], (one, other) => one.rank - other.rank);
  #isUnderWay = false;
  #roundEndsAtMs = 0;
  #current: Turn | undefined;
  #currentBeganAtMs = 0;

  add(waiting: Waiting): void {
    this.#waiting.push(waiting);
    if (this.#isUnderWay) return;
    this.#isUnderWay = true;
    setImmediate(this.#beginRound);
  }

  readonly #beginRound = () => {
    const nowMs = performance.now();
    this.#roundEndsAtMs = nowMs + roundMs;
    this.#next(nowMs);
  };

  #next(nowMs: number): void {
    const next = this.#waiting.pop();
    this.#current = next?.turn;
    this.#currentBeganAtMs = nowMs;
    next?.goOn();
    this.#endAfterMicrotasks();
  }

  readonly #endAfterMicrotasks = afterMicrotasks(() => this.#end());

  #end(): void {
    const nowMs = performance.now();
    this.#current?.keptBusy(nowMs - this.#currentBeganAtMs);
    if (this.#waiting.length === 0) this.#isUnderWay = false;
    else if (nowMs < this.#roundEndsAtMs) this.#next(nowMs);
    else setImmediate(this.#beginRound);
  }
}

/** The queue of the whole process, which has one thread for all operations. */
const queue = new TurnQueue();
