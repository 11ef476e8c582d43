/** Completes items several at once, and delivers each in the order in which they came. */
export class Deliveries {
  #last: Promise<void> = Promise.resolve();
  #pending = 0;

  /** Items that are not delivered yet. */
  get pending(): number {
    return this.#pending;
  }

  /** Resolves when what has been added until now is delivered. */
  get done(): Promise<void> {
    return this.#last;
  }

  /** Delivers a result once it is complete, and all before it are delivered. The result does not reject. */
  add<T>(result: Promise<T>, deliver: (result: T) => void): void {
    this.#pending += 1;
    this.#last = this.#last.then(async () => {
      const completed = await result;
      this.#pending -= 1;
      deliver(completed);
    });
  }
}
