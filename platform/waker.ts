/** A sleep that others can end. A call to wake between two sleeps is not lost: the next sleep ends at once. */
export class Waker {
  #resolve: (() => void) | undefined;
  #woken = false;

  /** Ends the sleep, or the next one when nobody sleeps now. */
  wake(): void {
    this.#woken = true;
    this.#resolve?.();
  }

  /** Sleeps until it is woken, or until a time in ms has passed, if one is given. */
  async sleep(ms?: number): Promise<void> {
    if (!this.#woken) {
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>(resolve => {
        this.#resolve = resolve;
        if (ms !== undefined) timer = setTimeout(resolve, ms);
      });
      clearTimeout(timer);
      this.#resolve = undefined;
    }
    this.#woken = false;
  }
}
