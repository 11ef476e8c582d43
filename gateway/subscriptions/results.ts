import type { ExecutionResult, GraphQLError } from 'graphql';
import { GatewayError } from '../gateway-error.ts';

/** Receiver of a stream's results for one client. */
export interface StreamListener {
  /** The stream stands after `cursor`, and nothing has been put yet. */
  start(cursor: string): void;
  put(result: ExecutionResult, cursor: string | undefined): void;
  /** Nothing more comes; with an error, because of it. */
  end(error?: GraphQLError): void;
}

interface ResultsOptions {
  /** Results that may wait for the client; with one more, the client counts as too slow. */
  readonly maxWaiting: number;
  /**
   * Called once, when nothing more is taken, or nothing more comes. With the error when the client was too slow: what
   * waited for it is dropped, and `cursor` in its extensions is where it may go on.
   */
  readonly onEnded: (overflow?: GraphQLError) => void;
}

interface Waiting {
  readonly result: ExecutionResult;
  readonly cursor: string | undefined;
}

type Step = IteratorResult<ExecutionResult>;

/**
 * Results of a client's subscription, in order: a bounded buffer between a stream, which puts, and the client's
 * transport, which takes one after another as fast as the client reads. The iterator throws the error that the stream
 * ends with. Every subscriber has one, so it holds little while nothing comes.
 */
export class LiveResults implements StreamListener, AsyncIterableIterator<ExecutionResult> {
  readonly #options: ResultsOptions;
  #waiting: Waiting[] = [];
  /** Cursor of the last result that was taken, or of where the results begin. */
  #taken: string | undefined;
  /** Hands the next result to the one who waits for it. */
  #handOver: ((step: Step | Promise<Step>) => void) | undefined;
  #hasEnded = false;
  #error: GraphQLError | undefined;

  constructor(options: ResultsOptions) {
    this.#options = options;
  }

  start(cursor: string): void {
    this.#taken ??= cursor;
  }

  put(result: ExecutionResult, cursor: string | undefined): void {
    if (this.#hasEnded) return;
    if (this.#handOver) {
      this.#handOver(this.#take({ result, cursor }));
      this.#handOver = undefined;
    } else if (this.#waiting.length < this.#options.maxWaiting) this.#waiting.push({ result, cursor });
    else this.#overflow();
  }

  end(error?: GraphQLError): void {
    this.#end(error, undefined);
  }

  next(): Promise<Step> {
    const first = this.#waiting.shift();
    if (first) return Promise.resolve(this.#take(first));
    if (this.#hasEnded) return this.#last();
    return new Promise(resolve => {
      this.#handOver = resolve;
    });
  }

  async return(): Promise<Step> {
    this.#waiting = [];
    this.end();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #end(error: GraphQLError | undefined, overflow: GraphQLError | undefined): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#error = error;
    this.#options.onEnded(overflow);
    this.#handOver?.(this.#last());
    this.#handOver = undefined;
  }

  #take({ result, cursor }: Waiting): Step {
    this.#taken = cursor ?? this.#taken;
    return { done: false, value: result };
  }

  /** The step after all results; the error is thrown once. */
  async #last(): Promise<Step> {
    const error = this.#error;
    this.#error = undefined;
    if (error) throw error;
    return { done: true, value: undefined };
  }

  #overflow(): void {
    this.#waiting = [];
    const { maxWaiting } = this.#options;
    const error = new GatewayError(
      'SLOW_CLIENT',
      `This client reads too slowly: more than ${maxWaiting} events were waiting for it. ` +
        'Subscribe again, after the cursor of the last event, and nothing is missed.',
      { details: this.#taken === undefined ? {} : { cursor: this.#taken } },
    ).toGraphQLError();
    this.#end(error, error);
  }
}
