/** A sleep that others can end. */
export class Waker {
  #resolve: (() => void) | undefined;
  #woken = false;

  /** Ends the sleep, or the next one when nobody sleeps now. */
  wake(): void {
    this.#woken = true;
    this.#resolve?.();
  }

  /** Sleeps for so long, or until somebody wakes it. */
  async sleep(ms: number): Promise<void> {
    if (!this.#woken) {
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>(resolve => {
        this.#resolve = resolve;
        timer = setTimeout(resolve, ms);
      });
      clearTimeout(timer);
      this.#resolve = undefined;
    }
    this.#woken = false;
  }
}
