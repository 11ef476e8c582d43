import { PorticoError } from '../../platform/errors.ts';
import type { GraphqlAnswer } from '../../platform/graphql/answer.ts';
import type { Logger } from '../../platform/log.ts';
import type { Breaker } from '../../platform/resilience/circuit-breaker.ts';
import type { SubgraphAnswer } from '../execution/subgraph-answer.ts';
import { GatewayError } from '../gateway-error.ts';
import type { SubgraphClient } from '../supergraph/graph/graph.ts';
import { type FetchTarget, UnwellSubgraphError } from './ask-instance.ts';
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
}

/**
 * Makes the client by which a graph fetches from one subgraph, behind the subgraph's breaker. A fetch that fails is
 * an error of the fields that it was for, never of the whole operation.
 */
export function createSubgraphClient(options: ClientOptions): SubgraphClient {
  const { target, fetcher, breaker, show, log, observe } = options;
  function shown(answer: GraphqlAnswer): SubgraphAnswer {
    const { errors } = answer;
    if (errors?.length) log.debug({ subgraph: target.subgraph, errors }, 'A subgraph answered with errors');
    return show<SubgraphAnswer>(target.subgraph, answer);
  }

  return async ({ query, body, isMutation, representations }, context) => {
    const startedAt = performance.now();
    const end = (outcome: string) => observe(outcome, (performance.now() - startedAt) / 1000);
    if (!target.isShared) context.headers.unshare();
    try {
      const fetch = { query, body, isMutation, representations, context };
      const answer = await breaker.run(deadline => fetcher.fetch(target, fetch, deadline));
      if (answer.errors?.length) context.headers.failed();
      end(answer.errors?.length ? 'error' : 'ok');
      return shown(answer);
    } catch (error) {
      const failure = failureOf(target.subgraph, error);
      context.headers.failed();
      end(failure.code);
      if (failure instanceof UnwellSubgraphError) return shown(failure.answer);
      return { data: null, errors: [failure.toGraphQLError().toJSON()] };
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
