import { PorticoError } from '../../platform/errors.ts';
import type { GraphqlAnswer } from '../../platform/graphql/answer.ts';
import type { Logger } from '../../platform/log.ts';
import type { Breaker } from '../../platform/resilience/circuit-breaker.ts';
import type { Deadline } from '../../platform/resilience/deadline.ts';
import type { SubgraphAnswer } from '../execution/subgraph-answer.ts';
import { GatewayError } from '../gateway-error.ts';
import type { SubgraphClient } from '../supergraph/graph/graph.ts';
import {
  type FetchedAnswer,
  type FetchTarget,
  type SubgraphFetch,
  UnwellSubgraphError,
} from './ask-instance.ts';
import type { FetchAnswer } from './shared-fetches.ts';
import type { ShowAnswer } from './shown-answer.ts';
import type { SubgraphFetcher } from './subgraph-fetcher.ts';

interface ClientOptions {
  readonly target: FetchTarget;
  readonly fetcher: SubgraphFetcher;
  readonly breaker: Breaker;
  readonly show: ShowAnswer;
  readonly log: Logger;
  /** Tells how a fetch ended. */
  readonly observe: (outcome: string, seconds: number) => void;
  /** Makes fetches share answers; undefined when none may. */
  readonly share: ((fetch: FetchAnswer) => FetchAnswer) | undefined;
  /** Is called when a mutation is done. */
  readonly onMutated: () => void;
}

/**
 * Makes the client by which a graph fetches from one subgraph, behind the subgraph's breaker. A fetch that fails is
 * an error of the fields that it was for, never of the whole operation.
 */
export function createSubgraphClient(options: ClientOptions): SubgraphClient {
  const { target, fetcher, breaker, show, log, observe, share, onMutated } = options;

  async function fetchOnce(fetch: SubgraphFetch): Promise<FetchedAnswer> {
    const startedAtMs = performance.now();
    let deadline: Deadline | undefined;
    const end = (outcome: string) => {
      // How long an answer that has come waits to be read says nothing of the subgraph.
      const endedAtMs = deadline?.metAtMs ?? performance.now();
      observe(outcome, (endedAtMs - startedAtMs) / 1000);
    };
    try {
      const fetched = await breaker.run(given => {
        deadline = given;
        return fetcher.fetch(target, fetch, given);
      });
      end(fetched.answer.errors?.length ? 'error' : 'ok');
      return fetched;
    } catch (error) {
      const failure = failureOf(target.subgraph, error);
      end(failure.code);
      throw failure;
    } finally {
      if (fetch.isMutation) onMutated();
    }
  }

  const fetchAnswer = share?.(fetchOnce) ?? fetchOnce;

  function shown(answer: GraphqlAnswer): SubgraphAnswer {
    const { errors } = answer;
    if (errors?.length) log.debug({ subgraph: target.subgraph, errors }, 'A subgraph answered with errors');
    return show<SubgraphAnswer>(target.subgraph, answer);
  }

  return async ({ query, body, isMutation, representations }, context) => {
    const { headers, signal } = context;
    if (!share) headers.unshare();
    try {
      const fetch = { query, body, isMutation, representations: representations?.length, context, signal };
      const { answer } = await fetchAnswer(fetch);
      if (answer.errors?.length) headers.failed();
      return shown(answer);
    } catch (error) {
      headers.failed();
      if (error instanceof UnwellSubgraphError) {
        if (headers.isForOne(error.headers)) headers.unshare();
        return shown(error.answer);
      }
      return { data: null, errors: [failureOf(target.subgraph, error).toGraphQLError().toJSON()] };
    }
  };
}

/** Says of a breaker's refusal or timeout what it means for the subgraph. */
function failureOf(subgraph: string, error: unknown): PorticoError {
  if (!(error instanceof PorticoError))
    return new GatewayError('SUBGRAPH_ERROR', `The subgraph '${subgraph}' could not be asked`, {
      cause: error,
      details: { subgraph },
    });
  switch (error.code) {
    case 'SERVICE_TIMEOUT':
      return new GatewayError('SUBGRAPH_TIMEOUT', `The subgraph ${error.message}`, {
        cause: error,
        details: { subgraph },
      });
    case 'SERVICE_UNAVAILABLE':
      return new GatewayError('SUBGRAPH_UNAVAILABLE', `The subgraph ${error.message}`, {
        cause: error,
        details: { ...error.details, subgraph },
      });
    default:
      return error;
  }
}
