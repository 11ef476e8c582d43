import type { ExecutionResult, GraphQLError } from 'graphql';
import { PorticoError } from '../../platform/errors.ts';

/** What a client's subscription brings, in order: taken by its transport as fast as the client reads. */
export interface LiveResults extends AsyncIterableIterator<ExecutionResult> {
  return(): Promise<IteratorResult<ExecutionResult>>;
}

/** Where a stream puts what it has for one client. */
export interface StreamListener {
  /** The stream stands after `cursor`, and nothing has been put yet. */
  start(cursor: string): void;
  next(result: ExecutionResult, cursor: string | undefined): void;
  /** Nothing more comes; with an error, because of it. */
  end(error?: GraphQLError): void;
}

interface ResultsOptions {
  /** Results that may wait for the client; with one more, the client counts as too slow. */
  readonly maxWaiting: number;
  /** The client was too slow; `cursor` is where it may go on. What waited for it is dropped. */
  readonly onOverflow: (error: GraphQLError) => void;
  /** Nothing more is taken, or nothing more comes. Called once. */
  readonly onEnded: () => void;
}

interface Waiting {
  readonly result: ExecutionResult;
  readonly cursor: string | undefined;
}

/** Makes a bounded buffer between a stream and one client. The iterator throws the error that the stream ends with. */
export function createResults(options: ResultsOptions): { results: LiveResults; listener: StreamListener } {
  const { maxWaiting, onOverflow, onEnded } = options;
  let waiting: Waiting[] = [];
  let taken: string | undefined;
  let ending: { readonly error: GraphQLError | undefined } | undefined;
  let wake: (() => void) | undefined;

  function put(change: () => void): void {
    if (ending) return;
    change();
    wake?.();
    wake = undefined;
  }

  function end(error: GraphQLError | undefined): void {
    ending = { error };
    onEnded();
  }

  function overflow(): void {
    waiting = [];
    const error = new PorticoError(
      'SLOW_CLIENT',
      `This client reads too slowly: more than ${maxWaiting} events were waiting for it. ` +
        'Subscribe again, after the cursor of the last event, and nothing is missed.',
      { details: taken === undefined ? {} : { cursor: taken } },
    ).toGraphQLError();
    end(error);
    onOverflow(error);
  }

  const listener: StreamListener = {
    start(cursor) {
      taken ??= cursor;
    },
    next: (result, cursor) =>
      put(() => {
        if (waiting.length < maxWaiting) waiting.push({ result, cursor });
        else overflow();
      }),
    end: error => put(() => end(error)),
  };
  const results: LiveResults = {
    async next() {
      while (waiting.length === 0 && !ending)
        await new Promise<void>(resolve => {
          wake = resolve;
        });
      const first = waiting.shift();
      if (first) {
        taken = first.cursor ?? taken;
        return { done: false, value: first.result };
      }
      const error = ending?.error;
      ending = { error: undefined };
      if (error) throw error;
      return { done: true, value: undefined };
    },
    async return() {
      waiting = [];
      put(() => end(undefined));
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => results,
  };
  return { results, listener };
}
