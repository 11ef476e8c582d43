import type { GraphQLError } from 'graphql';
import type { SubscribePayload } from 'graphql-ws';
import { callerHeader } from '../../platform/caller.ts';
import { startCursorExtension } from '../../platform/graphql/start-cursor.ts';
import { type Closable, closeOnce } from '../../platform/lifecycle.ts';
import type { Logger } from '../../platform/log.ts';
import type { ServiceInstance } from '../../platform/registry/instance.ts';
import type { Endpoint } from '../routing/endpoint.ts';
import type { Instances } from '../routing/instances.ts';
import type { OperationCaller } from '../security/operation-caller.ts';
import type { SubgraphEvent } from './subscription-plan.ts';
import { UpstreamConnection } from './upstream-connection.ts';

/** A subscription of a subgraph to open. */
export interface UpstreamSubscription {
  readonly subgraph: string;
  /** Instances that serve the subgraph as it was composed; whether only they may be asked. */
  readonly serves: (instance: ServiceInstance) => boolean;
  readonly strict: boolean;
  readonly query: string;
  readonly operationName: string | undefined;
  readonly variables: Record<string, unknown>;
  readonly caller: OperationCaller;
  /** Whether the subgraph is asked where its events begin. */
  readonly asksForCursor: boolean;
}

/** What comes of a subscription. After one of the last three, and after {@link Upstream.close}, nothing comes. */
export interface UpstreamSink {
  /** The instance has taken the connection; it may send events from now on. */
  opened(): void;
  event(event: SubgraphEvent): void;
  /** The events begin after this cursor. */
  start(cursor: string): void;
  completed(): void;
  /** The subgraph does not run the subscription. */
  refused(error: GraphQLError): void;
  /** The connection was lost, or could not be opened; `begun` when the subgraph may have sent events. */
  lost(reason: { readonly begun: boolean; readonly cause: unknown }): void;
}

/** One subscription of a subgraph, open. */
export interface Upstream {
  close(): void;
}

/** Subscriptions of the subgraphs. */
export interface Upstreams extends Closable {
  /** Subscriptions that are open now, by subgraph. */
  count(): ReadonlyMap<string, number>;
  /**
   * Opens a subscription on one instance of the subgraph.
   * @throws PorticoError SUBGRAPH_UNAVAILABLE when there is none
   */
  subscribe(subscription: UpstreamSubscription, sink: UpstreamSink): Upstream;
}

/** Opens subgraphs' subscriptions over graphql-ws: one connection to an instance carries all that go there. */
export function createUpstreams({ instances, log }: { instances: Instances; log: Logger }): Upstreams {
  const connections = new Map<Endpoint, UpstreamConnection>();

  function connectionTo(endpoint: Endpoint): UpstreamConnection {
    const known = connections.get(endpoint);
    if (known?.isUsable) return known;
    const connection: UpstreamConnection = new UpstreamConnection({
      endpoint,
      onClosed() {
        if (connections.get(endpoint) === connection) connections.delete(endpoint);
      },
      log,
    });
    connections.set(endpoint, connection);
    return connection;
  }

  return {
    count() {
      const counts = new Map<string, number>();
      for (const [{ subgraph }, { size }] of connections)
        counts.set(subgraph, (counts.get(subgraph) ?? 0) + size);
      return counts;
    },
    subscribe(subscription, sink) {
      const { subgraph, serves, strict, caller } = subscription;
      const connection = connectionTo(instances.pick(subgraph, { serves, strict }));
      const upstream = connection.add(sink);
      Promise.all([caller.token(), connection.settled]).then(
        ([token]) => connection.start(upstream, payloadOf(subscription, token)),
        cause => {
          if (connection.remove(upstream)) sink.lost({ begun: false, cause });
        },
      );
      return upstream;
    },
    close: closeOnce(async () => {
      for (const connection of connections.values()) connection.close();
    }),
  };
}

function payloadOf(
  { query, operationName, variables, asksForCursor }: UpstreamSubscription,
  token: string | undefined,
): SubscribePayload {
  return {
    query,
    variables,
    extensions: {
      ...(token === undefined ? {} : { [callerHeader]: token }),
      ...(asksForCursor ? { [startCursorExtension]: true } : {}),
    },
    ...(operationName === undefined ? {} : { operationName }),
  };
}
