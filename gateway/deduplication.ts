import { type Abortable, LightAbort } from './abort.ts';

/** One execution that several requests may wait for. */
interface Flight<Answer> {
  /** Undefined when nobody but the request that began it may have the answer. */
  readonly shared: Promise<Answer | undefined>;
  readonly abort: LightAbort;
  waiting: number;
}

/** A request, as far as it can be given up. */
export interface Waiter {
  /** Calls back when nobody waits for the answer any more. */
  onGone(callback: () => void): void;
}

/** An answer, and whether others may have it. */
export interface Executed<Answer> {
  readonly answer: Answer;
  readonly isShareable: boolean;
}

/**
 * Lets requests share the execution of what is under way for an equal request. Nothing is kept: what is done is forgotten, and
 * so is what began before a mutation was done.
 */
export class Deduplication<Answer> {
  readonly #flights = new Map<string, Flight<Answer>>();

  /**
   * Joins the execution under way for the same key.
   *
   * @returns undefined when there is none, or when its answer turned out to be for one request only
   */
  join(key: string, waiter: Waiter): Promise<Answer | undefined> | undefined {
    const flight = this.#flights.get(key);
    if (!flight || flight.abort.aborted) return undefined;
    wait(flight, waiter);
    return flight.shared;
  }

  /** Lets nobody join what is under way: it may not know of what has changed since. */
  forget(): void {
    this.#flights.clear();
  }

  /**
   * Executes for this request, and for those that join it.
   *
   * @param execute gets a signal that is aborted when all of them have gone
   */
  async begin(
    key: string,
    waiter: Waiter,
    execute: (signal: Abortable) => Promise<Executed<Answer>>,
  ): Promise<Answer> {
    const abort = new LightAbort();
    const execution = execute(abort);
    const shared = execution.then(({ answer, isShareable }) => (isShareable ? answer : undefined));
    const flight: Flight<Answer> = { shared, abort, waiting: 0 };
    // A failure is for those that wait.
    shared.catch(() => {});
    this.#flights.set(key, flight);
    wait(flight, waiter);
    try {
      return (await execution).answer;
    } finally {
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
    }
  }
}

function wait(flight: Flight<unknown>, waiter: Waiter): void {
  flight.waiting += 1;
  waiter.onGone(() => {
    flight.waiting -= 1;
    if (flight.waiting === 0) flight.abort.abort();
  });
}
