import { GraphQLError } from 'graphql';
import { type Client, createClient, type SubscribePayload } from 'graphql-ws';
import { WebSocket } from 'ws';
import { callerHeader } from '../../platform/caller.ts';
import { PorticoError } from '../../platform/errors.ts';
import { type Closable, closeOnce } from '../../platform/lifecycle.ts';
import type { Logger } from '../../platform/log.ts';
import type { ServiceInstance } from '../../platform/registry/instance.ts';
import type { SubgraphEvent } from '../execution/run-event.ts';
import type { Instances } from '../routing/instances.ts';
import type { OperationCaller } from '../security/operation-caller.ts';

/** A subscription of a subgraph to open. */
export interface UpstreamSubscription {
  readonly subgraph: string;
  /** Instances that serve the subgraph as it was composed. */
  readonly serves: (instance: ServiceInstance) => boolean;
  readonly query: string;
  readonly operationName: string | undefined;
  readonly variables: Record<string, unknown>;
  readonly caller: OperationCaller;
}

/** Subscriptions of the subgraphs. */
export interface Upstreams extends Closable {
  /**
   * Opens a subscription on one instance of the subgraph. The iterator ends when the subgraph completes.
   * @throws PorticoError SUBGRAPH_UNAVAILABLE when there is no instance; the iterator throws a GraphQLError when the
   *   subgraph refuses or the connection is lost
   */
  subscribe(subscription: UpstreamSubscription): Promise<AsyncIterableIterator<SubgraphEvent>>;
}

/** How long a connection without a subscription is kept, in ms. */
const lazyCloseMs = 10_000;
const keepAliveMs = 10_000;

/** Opens subgraphs' subscriptions over graphql-ws: one connection to an instance carries all that go there. */
export function createUpstreams({ instances, log }: { instances: Instances; log: Logger }): Upstreams {
  const clientByUrl = new Map<string, Client>();

  function clientOf(url: string): Client {
    const known = clientByUrl.get(url);
    if (known) return known;
    const client = createClient({
      url,
      webSocketImpl: WebSocket,
      lazyCloseTimeout: lazyCloseMs,
      keepAlive: keepAliveMs,
      retryAttempts: 0,
      onNonLazyError: () => {},
    });
    clientByUrl.set(url, client);
    return client;
  }

  return {
    async subscribe({ subgraph, serves, query, operationName, variables, caller }) {
      const { url, id } = instances.pick(subgraph, { serves, strict: false });
      const token = await caller.token();
      const payload: SubscribePayload = {
        query,
        variables,
        ...(operationName === undefined ? {} : { operationName }),
        ...(token === undefined ? {} : { extensions: { [callerHeader]: token } }),
      };
      const results = clientOf(url.replace(/^http/, 'ws')).iterate(payload);
      return withUpstreamErrors(results, cause => {
        if (Array.isArray(cause)) return refusalOf(subgraph, cause);
        log.warn({ subgraph, instance: id }, 'The connection to a subgraph with subscriptions was lost');
        return new PorticoError(
          'SUBGRAPH_UNAVAILABLE',
          `The connection to the subgraph '${subgraph}' was lost`,
          {
            cause,
            details: { subgraph },
          },
        ).toGraphQLError();
      });
    },
    close: closeOnce(async () => {
      for (const client of clientByUrl.values()) await client.dispose();
    }),
  };
}

function withUpstreamErrors(
  results: AsyncIterableIterator<SubgraphEvent>,
  toError: (cause: unknown) => GraphQLError,
): AsyncIterableIterator<SubgraphEvent> {
  return {
    async next() {
      try {
        return await results.next();
      } catch (cause) {
        throw toError(cause);
      }
    },
    return: value => results.return?.(value) ?? Promise.resolve({ done: true, value: undefined }),
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** The first error of a subgraph that refused a subscription, as GraphQL has it. */
function refusalOf(subgraph: string, errors: readonly unknown[]): GraphQLError {
  const [first] = errors as readonly Partial<GraphQLError>[];
  return new GraphQLError(first?.message ?? `The subgraph '${subgraph}' refused the subscription`, {
    extensions: { ...first?.extensions, serviceName: subgraph },
  });
}
