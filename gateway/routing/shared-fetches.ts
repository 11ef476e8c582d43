import { LRUCache } from 'lru-cache';
import { readGraphqlAnswer } from '../../platform/graphql/answer.ts';
import type { Abortable } from '../abort.ts';
import { Deduplication, type Waiter } from '../deduplication.ts';
import { type FetchedAnswer, type SubgraphFetch, UnwellSubgraphError } from './ask-instance.ts';

/** Asks a subgraph. @throws PorticoError */
export type FetchAnswer = (fetch: SubgraphFetch) => Promise<FetchedAnswer>;

/** What a fetch was for, when it got the answer of another. */
type OnJoined = (subgraph: string) => void;

/** Fetches of all subgraphs, of which equal ones that are under way at the same time share an answer. */
export interface SharedFetches {
  /** Makes fetches from one version of a subgraph share. @param fetch makes one of its own */
  share(subgraph: { readonly name: string; readonly hash: string }, fetch: FetchAnswer): FetchAnswer;
  /** Ends the sharing of what is under way, because something has changed. */
  forget(): void;
}

/** Documents of which it is remembered that their answers are for one request only. */
const maxUnshared = 1_000;
/** Time that their fetches share nothing, in ms. */
const unsharedMs = 60_000;

/**
 * Lets fetches share answers. They are equal when caller, headers and body are. A fetch of a live event shares nothing: one
 * that is under way may not know of what the event tells. Nor does one of an operation over a WebSocket, which passes no
 * headers of subgraphs on.
 */
export function createSharedFetches(onJoined: OnJoined): SharedFetches {
  const deduplication = new Deduplication<FetchedAnswer>();
  const unshared = new LRUCache<string, true>({ max: maxUnshared, ttl: unsharedMs });

  /** Each request has a tree of its own that it merges the answer into. */
  function readAgain({ text, headers }: FetchedAnswer, { context }: SubgraphFetch): FetchedAnswer {
    context.headers.collect(headers);
    return { text, headers, answer: readGraphqlAnswer(text) };
  }

  return {
    forget: () => deduplication.forget(),
    share({ name, hash }, fetch) {
      const version = JSON.stringify([name, hash]);
      const documentOf = (query: string) => `${version} ${query}`;
      async function fetchForAll(request: SubgraphFetch, signal: Abortable) {
        const { query, body, isMutation, representations, context } = request;
        const answer = await fetch({ query, body, isMutation, representations, context, signal });
        const isShareable = !context.headers.isForOne(answer.headers);
        if (!isShareable) unshared.set(documentOf(query), true);
        return { answer, isShareable };
      }

      return async request => {
        const { query, body, isMutation, context, signal } = request;
        const { caller, headers, report } = context;
        if (isMutation || report || signal?.aborted || !headers.sharesFetches) return fetch(request);
        if (unshared.size > 0 && unshared.has(documentOf(query))) return fetch(request);
        // Each part is JSON, which has no line break.
        const key = `${version}\n${caller.key}\n${headers.requestKey}\n${body}`;
        const waiter = new SignalWaiter(signal);
        try {
          const shared = deduplication.join(key, waiter);
          if (!shared) return await deduplication.begin(key, waiter, each => fetchForAll(request, each));
          const joined = await shared.catch(error => {
            // What a subgraph says when it is unwell may be for one request only too.
            if (error instanceof UnwellSubgraphError && headers.isForOne(error.headers)) return undefined;
            throw error;
          });
          if (!joined) return await fetch(request);
          onJoined(name);
          return readAgain(joined, request);
        } finally {
          waiter.release();
        }
      };
    },
  };
}

/** A fetch that waits for an answer as long as its operation does. */
class SignalWaiter implements Waiter {
  readonly #signal: Abortable | undefined;
  #callback: (() => void) | undefined;

  constructor(signal: Abortable | undefined) {
    this.#signal = signal;
  }

  onGone(callback: () => void): void {
    this.#callback = callback;
    this.#signal?.addEventListener('abort', callback);
  }

  release(): void {
    if (this.#callback) this.#signal?.removeEventListener('abort', this.#callback);
  }
}
