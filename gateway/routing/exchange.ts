import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import type { Deadline } from '../../platform/resilience/deadline.ts';
import type { Abortable } from '../abort.ts';

/** One request to an instance. */
export interface ExchangeRequest {
  /** Scheme, host and port. */
  readonly origin: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Response of an exchange. */
export interface ExchangeResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

interface ExchangeOptions {
  readonly dispatcher: Dispatcher;
  readonly deadline: Deadline;
  /** Ends the request at once, when nobody waits for its answer any more. */
  readonly signal: Abortable | undefined;
}

/**
 * Posts a request and reads the whole answer. It takes less time than `undici.request`, which makes a stream of each answer.
 *
 * @throws the reason of what ended it; otherwise what undici says
 */
export function exchange(request: ExchangeRequest, options: ExchangeOptions): Promise<ExchangeResponse> {
  return new Promise((resolve, reject) => {
    const reader = new AnswerReader(options, resolve, reject);
    const { origin, path, headers, body } = request;
    if (reader.begin()) options.dispatcher.dispatch({ origin, path, method: 'POST', headers, body }, reader);
  });
}

/** Reads one answer, as undici hands it over. */
class AnswerReader implements Dispatcher.DispatchHandler {
  readonly #options: ExchangeOptions;
  readonly #resolve: (response: ExchangeResponse) => void;
  readonly #reject: (error: Error) => void;
  readonly #chunks: Buffer[] = [];
  #status = 0;
  #headers: IncomingHttpHeaders = {};
  #controller: Dispatcher.DispatchController | undefined;
  #ended: Error | undefined;

  constructor(
    options: ExchangeOptions,
    resolve: (response: ExchangeResponse) => void,
    reject: (error: Error) => void,
  ) {
    this.#options = options;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** @returns false when it has been ended before */
  begin(): boolean {
    const { deadline, signal } = this.#options;
    if (deadline.reason ?? signal?.aborted) {
      this.#reject(deadline.reason ?? (signal?.reason as Error));
      return false;
    }
    deadline.onPassed = reason => this.#end(reason);
    signal?.addEventListener('abort', this);
    return true;
  }

  /** The signal is aborted. */
  handleEvent(): void {
    this.#end(this.#options.signal?.reason as Error);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#ended) controller.abort(this.#ended);
  }

  onResponseStart(_controller: unknown, status: number, headers: IncomingHttpHeaders): void {
    this.#status = status;
    this.#headers = headers;
  }

  onResponseData(_controller: unknown, chunk: Buffer): void {
    this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    this.#release();
    const chunks = this.#chunks;
    const body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
    this.#resolve({ status: this.#status, headers: this.#headers, body });
  }

  onResponseError(_controller: unknown, error: Error): void {
    this.#release();
    this.#reject(error);
  }

  /** Ends the exchange, also before there is a connection: whoever waits is told at once. */
  #end(reason: Error): void {
    this.#ended = reason;
    this.#controller?.abort(reason);
    this.#release();
    this.#reject(reason);
  }

  #release(): void {
    const { deadline, signal } = this.#options;
    deadline.onPassed = undefined;
    signal?.removeEventListener('abort', this);
  }
}
