/** Listener of an abort: it needs no event. */
export type AbortListener = (() => void) | { handleEvent(): void };

/** The part of an `AbortSignal` that the run of an operation needs. */
export interface Abortable {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: 'abort', listener: AbortListener): void;
  removeEventListener(type: 'abort', listener: AbortListener): void;
}

/**
 * A signal that aborts itself. It takes the place of an `AbortController` where one is made for each request or fetch: an
 * event target of Node takes as long to make as a small fetch to write.
 */
export class LightAbort implements Abortable {
  readonly #listeners: AbortListener[] = [];
  #reason: Error | undefined;

  get aborted(): boolean {
    return this.#reason !== undefined;
  }

  get reason(): unknown {
    return this.#reason;
  }

  addEventListener(_type: 'abort', listener: AbortListener): void {
    this.#listeners.push(listener);
  }

  removeEventListener(_type: 'abort', listener: AbortListener): void {
    const index = this.#listeners.indexOf(listener);
    if (index >= 0) this.#listeners.splice(index, 1);
  }

  abort(): void {
    if (this.#reason) return;
    this.#reason = new Error('Nobody waits for the answer any more');
    for (const listener of this.#listeners.splice(0))
      if (typeof listener === 'function') listener();
      else listener.handleEvent();
  }
}
