/** The time that a call has. It costs nothing as long as it has not passed: a signal is made only when it is asked for. */
export class Deadline {
  #reason: Error | undefined;
  #metAtMs: number | undefined;
  #controller: AbortController | undefined;
  #onPassed: ((reason: Error) => void) | undefined;
  #onMet: (() => void) | undefined;

  /** The error of the call when its time has passed. */
  get reason(): Error | undefined {
    return this.#reason;
  }

  /** A signal that is aborted when the time has passed. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#reason) this.#controller.abort(this.#reason);
    return this.#controller.signal;
  }

  /** Calls back when the time has passed, in the place of what was called back before; undefined for nothing. */
  set onPassed(callback: ((reason: Error) => void) | undefined) {
    this.#onPassed = callback;
  }

  /** Calls back when what is waited for has come, in the place of what was called back before. */
  set onMet(callback: () => void) {
    this.#onMet = callback;
  }

  /** Time at which what was waited for came, in ms of `performance.now()`; undefined before that. */
  get metAtMs(): number | undefined {
    return this.#metAtMs;
  }

  /** What was waited for has come: no time passes any more. */
  meet(): void {
    if (this.#metAtMs !== undefined) return;
    this.#metAtMs = performance.now();
    this.#onMet?.();
  }

  /** Its time has passed, unless what was waited for has come. @returns true if it has passed */
  pass(reason: Error): boolean {
    if (this.#metAtMs !== undefined) return false;
    this.#reason = reason;
    this.#controller?.abort(reason);
    this.#onPassed?.(reason);
    return true;
  }
}
