import { setTimeout as delay } from 'node:timers/promises';
import { PorticoError } from '../../platform/errors.ts';
import type { Logger } from '../../platform/log.ts';
import type { Deadline } from '../../platform/resilience/deadline.ts';
import type { RetryBudget } from '../../platform/resilience/retry-budget.ts';
import { isConnectError } from '../../platform/service-client.ts';
import { GatewayError } from '../gateway-error.ts';
import {
  createAskInstance,
  type FetchedAnswer,
  type FetchTarget,
  type SubgraphFetch,
} from './ask-instance.ts';
import type { Endpoint } from './endpoint.ts';
import type { Instances } from './instances.ts';

/** Sends fetches to instances. */
export interface SubgraphFetcher {
  /**
   * Asks one instance. When the connection fails before the answer, a query is tried on another instance; a mutation only
   * when it surely was not sent.
   *
   * @throws PorticoError SUBGRAPH_UNAVAILABLE, SUBGRAPH_OVERLOADED, or SUBGRAPH_ERROR; anything when the time is up
   */
  fetch(target: FetchTarget, fetch: SubgraphFetch, deadline: Deadline): Promise<FetchedAnswer>;
}

interface FetcherOptions {
  readonly instances: Instances;
  readonly retries: RetryBudget;
  readonly log: Logger;
  /** Counts retries, and ejections of instances. */
  readonly count: (event: 'retry' | 'ejection', subgraph: string) => void;
}

/** Longest time that a fetch without an instance waits for the graph to follow the registry, in ms. */
const maxFollowMs = 2_000;

/** Makes the fetcher that all subgraphs share. */
export function createSubgraphFetcher(options: FetcherOptions): SubgraphFetcher {
  const { instances, retries, log, count } = options;
  const concurrentBySubgraph = new Map<string, number>();
  const ask = createAskInstance({ log, onEjected: subgraph => count('ejection', subgraph) });

  /**
   * Picks an instance. When the last one of the version that the graph was composed with has gone, and others are there,
   * the graph is about to be composed with another version, and the fetch waits to go to an instance of that one.
   */
  async function pickWhenFollowed({
    subgraph,
    serves,
    isStrict,
    graphFollows,
  }: FetchTarget): Promise<Endpoint> {
    const followed = instances.find(subgraph, { serves, strict: false }) && graphFollows();
    if (followed) await Promise.race([followed, delay(maxFollowMs, undefined, { ref: false })]);
    return instances.pick(subgraph, { serves, strict: isStrict() });
  }

  async function fetchWithRetries(
    target: FetchTarget,
    fetch: SubgraphFetch,
    deadline: Deadline,
  ): Promise<FetchedAnswer> {
    const { subgraph, serves, isStrict } = target;
    const tried = new Set<Endpoint>();
    retries.request();
    let endpoint =
      instances.find(subgraph, { serves, strict: isStrict() }) ?? (await pickWhenFollowed(target));
    for (;;)
      try {
        return await ask(endpoint, target, fetch, deadline);
      } catch (error) {
        if (deadline.reason) throw error;
        if (fetch.signal?.aborted) throw new AbandonedError(subgraph);
        if (error instanceof PorticoError) throw error;
        tried.add(endpoint);
        const mayRetry = isConnectError(error) || (!fetch.isMutation && isConnectionLoss(error));
        const next = mayRetry
          ? instances.find(subgraph, { serves, strict: isStrict(), except: tried })
          : undefined;
        if (!next || !retries.tryRetry()) throw unreachable(subgraph, error);
        count('retry', subgraph);
        endpoint = next;
      }
  }

  /** Takes a fetch in. @returns what takes it out again @throws PorticoError SUBGRAPH_OVERLOADED */
  function enter({ subgraph, maxConcurrent }: FetchTarget): () => void {
    const concurrent = concurrentBySubgraph.get(subgraph) ?? 0;
    if (concurrent >= maxConcurrent) throw overloaded(subgraph, maxConcurrent);
    concurrentBySubgraph.set(subgraph, concurrent + 1);
    return () => {
      concurrentBySubgraph.set(subgraph, (concurrentBySubgraph.get(subgraph) ?? 1) - 1);
    };
  }

  return {
    async fetch(target, fetch, deadline) {
      const leave = enter(target);
      // An answer that waits to be read keeps no subgraph busy.
      deadline.onMet = leave;
      try {
        if (fetch.signal?.aborted) throw new AbandonedError(target.subgraph);
        return await fetchWithRetries(target, fetch, deadline);
      } finally {
        if (deadline.metAtMs === undefined) leave();
      }
    },
  };
}

/** Tells whether the connection broke before the answer came. */
function isConnectionLoss(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ECONNRESET' || code === 'EPIPE' || code === 'UND_ERR_SOCKET';
}

function unreachable(subgraph: string, cause: unknown): PorticoError {
  return new GatewayError('SUBGRAPH_UNAVAILABLE', `The subgraph '${subgraph}' could not be reached`, {
    cause,
    details: { subgraph },
  });
}

/** The client has left, so that nobody reads this error. It says nothing of the subgraph. */
export class AbandonedError extends GatewayError {
  constructor(subgraph: string) {
    super('SUBGRAPH_UNAVAILABLE', 'The client has left', { details: { subgraph } });
  }
}

function overloaded(subgraph: string, maxConcurrent: number): PorticoError {
  return new GatewayError(
    'SUBGRAPH_OVERLOADED',
    `The subgraph '${subgraph}' is asked ${maxConcurrent} times at once already, which is its limit`,
    { details: { subgraph } },
  );
}
