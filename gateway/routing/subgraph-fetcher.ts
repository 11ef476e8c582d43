import { type Dispatcher, errors, request } from 'undici';
import { callerHeader } from '../../platform/caller.ts';
import { messageOf, PorticoError } from '../../platform/errors.ts';
import { type GraphqlAnswer, readGraphqlAnswer } from '../../platform/graphql/answer.ts';
import type { Logger } from '../../platform/log.ts';
import type { ServiceInstance } from '../../platform/registry/instance.ts';
import type { RetryBudget } from '../../platform/resilience/retry-budget.ts';
import { isConnectError } from '../../platform/service-client.ts';
import type { OperationContext } from '../operation-context.ts';
import type { Endpoint } from './endpoint.ts';
import type { Instances } from './instances.ts';

/** Where fetches of one subgraph in one graph go. */
export interface FetchTarget {
  readonly subgraph: string;
  readonly agent: Dispatcher;
  readonly serves: (instance: ServiceInstance) => boolean;
  /** Whether only instances that serve the composed schema may be asked. */
  readonly isStrict: () => boolean;
  /** Longest time of one fetch in ms, with its retries. */
  readonly timeoutMs: number;
  /** Most fetches of the subgraph at once. */
  readonly maxConcurrent: number;
}

/** One fetch of a query plan. */
export interface SubgraphFetch {
  /** The GraphQL request as JSON. */
  readonly body: string;
  readonly isMutation: boolean;
  readonly context: OperationContext;
}

/** Sends fetches to instances. */
export interface SubgraphFetcher {
  /**
   * Asks one instance. When the connection fails before the answer, a query is tried on another instance; a mutation only
   * when it surely was not sent.
   * @throws PorticoError SUBGRAPH_UNAVAILABLE, SUBGRAPH_OVERLOADED, SUBGRAPH_TIMEOUT, or SUBGRAPH_ERROR
   */
  fetch(target: FetchTarget, fetch: SubgraphFetch, signal: AbortSignal): Promise<GraphqlAnswer>;
}

interface FetcherOptions {
  readonly instances: Instances;
  readonly retries: RetryBudget;
  readonly log: Logger;
  /** Counts retries, and ejections of instances. */
  readonly count: (event: 'retry' | 'ejection', subgraph: string) => void;
}

/** Makes the fetcher that all subgraphs share. */
export function createSubgraphFetcher(options: FetcherOptions): SubgraphFetcher {
  const { instances, retries, log, count } = options;
  const concurrentBySubgraph = new Map<string, number>();

  async function send(
    endpoint: Endpoint,
    { agent }: FetchTarget,
    { body, context }: SubgraphFetch,
    signal: AbortSignal,
  ) {
    endpoint.outstanding += 1;
    try {
      const token = await context.caller.token();
      const {
        statusCode,
        headers,
        body: answer,
      } = await request(endpoint.url, {
        dispatcher: agent,
        method: 'POST',
        headers: {
          ...context.headers.request,
          'content-type': 'application/json',
          accept: 'application/json',
          ...(token === undefined ? {} : { [callerHeader]: token }),
        },
        body,
        signal,
      });
      const parsed = readAnswer(endpoint, statusCode, await answer.text().catch(refuseTooLarge(endpoint)));
      context.headers.collect(headers);
      endpoint.succeeded();
      return parsed;
    } catch (error) {
      if (!signal.aborted || isTimeout(signal)) failed(endpoint, error);
      throw error;
    } finally {
      endpoint.outstanding -= 1;
    }
  }

  function failed(endpoint: Endpoint, error: unknown): void {
    const { subgraph, id } = endpoint;
    log.debug({ subgraph, instance: id }, `A fetch failed: ${messageOf(error)}`);
    if (!endpoint.failed()) return;
    count('ejection', subgraph);
    log.warn(
      { subgraph, instance: id },
      `An instance is ejected for its failures, the last: ${messageOf(error)}`,
    );
  }

  async function fetchWithRetries(
    target: FetchTarget,
    fetch: SubgraphFetch,
    signal: AbortSignal,
  ): Promise<GraphqlAnswer> {
    const { subgraph, serves, isStrict, timeoutMs } = target;
    const tried = new Set<Endpoint>();
    retries.request();
    let endpoint = instances.pick(subgraph, { serves, strict: isStrict() });
    for (;;) {
      try {
        return await send(endpoint, target, fetch, signal);
      } catch (error) {
        if (isTimeout(signal)) throw timedOut(subgraph, timeoutMs, error);
        if (signal.aborted || error instanceof PorticoError) throw error;
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
  }

  return {
    async fetch(target, fetch, breakerSignal) {
      const { subgraph, maxConcurrent, timeoutMs } = target;
      const concurrent = concurrentBySubgraph.get(subgraph) ?? 0;
      if (concurrent >= maxConcurrent) throw overloaded(subgraph, maxConcurrent);
      concurrentBySubgraph.set(subgraph, concurrent + 1);
      try {
        const signal = AbortSignal.any([breakerSignal, AbortSignal.timeout(timeoutMs)]);
        return await fetchWithRetries(target, fetch, signal);
      } finally {
        concurrentBySubgraph.set(subgraph, (concurrentBySubgraph.get(subgraph) ?? 1) - 1);
      }
    },
  };
}

function readAnswer({ subgraph, id }: Endpoint, status: number, text: string): GraphqlAnswer {
  try {
    return readGraphqlAnswer(status, text);
  } catch (cause) {
    throw new PorticoError(
      'SUBGRAPH_ERROR',
      `The subgraph '${subgraph}' expected to answer with a GraphQL result, but answered with status ${status}`,
      { cause, details: { subgraph, instance: id } },
    );
  }
}

/** Says of an answer that was cut off for its size that it was. */
function refuseTooLarge({ subgraph, id }: Endpoint): (cause: unknown) => never {
  return cause => {
    if (!(cause instanceof errors.ResponseExceededMaxSizeError)) throw cause;
    throw new PorticoError(
      'SUBGRAPH_ERROR',
      `The subgraph '${subgraph}' expected to answer with no more than SUBGRAPH_MAX_RESPONSE_BYTES, but did`,
      { cause, details: { subgraph, instance: id } },
    );
  };
}

/** Whether the connection broke before the answer came. */
function isConnectionLoss(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ECONNRESET' || code === 'EPIPE' || code === 'UND_ERR_SOCKET';
}

function isTimeout(signal: AbortSignal): boolean {
  const reason: unknown = signal.reason;
  return reason instanceof Error && (reason.name === 'TimeoutError' || reason instanceof PorticoError);
}

function timedOut(subgraph: string, timeoutMs: number, cause: unknown): PorticoError {
  return new PorticoError(
    'SUBGRAPH_TIMEOUT',
    `The subgraph '${subgraph}' expected to answer within ${timeoutMs} ms, but did not`,
    { cause, details: { subgraph } },
  );
}

function unreachable(subgraph: string, cause: unknown): PorticoError {
  return new PorticoError('SUBGRAPH_UNAVAILABLE', `The subgraph '${subgraph}' could not be reached`, {
    cause,
    details: { subgraph },
  });
}

function overloaded(subgraph: string, maxConcurrent: number): PorticoError {
  return new PorticoError(
    'SUBGRAPH_OVERLOADED',
    `The subgraph '${subgraph}' is asked ${maxConcurrent} times at once already, which is its limit`,
    { details: { subgraph } },
  );
}
