import { GraphQLError } from 'graphql';
import { type Client, createClient, type SubscribePayload } from 'graphql-ws';
import { WebSocket } from 'ws';
import { callerHeader } from '../../platform/caller.ts';
import { startCursorExtension } from '../../platform/graphql/start-cursor.ts';
import { type Closable, closeOnce } from '../../platform/lifecycle.ts';
import type { Logger } from '../../platform/log.ts';
import type { ServiceInstance } from '../../platform/registry/instance.ts';
import type { SubgraphEvent } from '../execution/subscription-plan.ts';
import type { Endpoint } from '../routing/endpoint.ts';
import type { Instances } from '../routing/instances.ts';
import type { OperationCaller } from '../security/operation-caller.ts';

/** A subscription of a subgraph to open. */
export interface UpstreamSubscription {
  readonly subgraph: string;
  /** Instances that serve the subgraph as it was composed; whether only they may be asked. */
  readonly serves: (instance: ServiceInstance) => boolean;
  readonly strict: boolean;
  readonly query: string;
  readonly operationName: string | undefined;
  readonly variables: Readonly<Record<string, unknown>>;
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

/** How long a connection without a subscription is kept, in ms. */
const lazyCloseMs = 10_000;
/** How often a connection is tried, and how long it may take to answer, in ms. */
const keepAliveMs = 5_000;
const connectTimeoutMs = 2_000;
/** Largest event that a subgraph may send, in bytes. */
const maxEventBytes = 16 * 1024 * 1024;

class UpstreamSocket extends WebSocket {
  constructor(url: string, protocol: string) {
    super(url, protocol, { handshakeTimeout: connectTimeoutMs, maxPayload: maxEventBytes });
  }
}

interface Subscription {
  begun: boolean;
  readonly sink: UpstreamSink;
}

/** One connection to an instance, with all subscriptions that are open there. */
interface Connection {
  readonly client: Client;
  readonly subscriptions: Set<Subscription>;
  connected: boolean;
}

/** Opens subgraphs' subscriptions over graphql-ws: one connection to an instance carries all that go there. */
export function createUpstreams({ instances, log }: { instances: Instances; log: Logger }): Upstreams {
  const connections = new Map<Endpoint, Connection>();
  const counts = new Map<string, number>();

  function connectionTo(endpoint: Endpoint): Connection {
    const known = connections.get(endpoint);
    if (known) return known;
    const { subgraph, id } = endpoint;
    let unanswered: NodeJS.Timeout | undefined;
    const connection: Connection = {
      connected: false,
      subscriptions: new Set(),
      client: createClient({
        url: endpoint.url.replace(/^http/, 'ws'),
        webSocketImpl: UpstreamSocket,
        connectionAckWaitTimeout: connectTimeoutMs,
        lazyCloseTimeout: lazyCloseMs,
        keepAlive: keepAliveMs,
        retryAttempts: 0,
        onNonLazyError: () => {},
        on: {
          connected() {
            connection.connected = true;
            for (const subscription of connection.subscriptions) {
              subscription.begun = true;
              subscription.sink.opened();
            }
            endpoint.succeeded();
          },
          ping(received) {
            if (!received)
              unanswered = setTimeout(() => {
                log.warn({ subgraph, instance: id }, 'A subgraph no longer answers');
                connection.client.terminate();
              }, keepAliveMs);
          },
          pong(received) {
            if (received) clearTimeout(unanswered);
          },
          closed() {
            clearTimeout(unanswered);
            const subscriptions = connection.subscriptions.size;
            if (subscriptions > 0)
              log.warn({ subgraph, instance: id, subscriptions }, 'A connection with subscriptions was lost');
            // A connection that was never made says as much of the instance as a request that failed.
            if (!connection.connected) endpoint.failed();
            if (connections.get(endpoint) === connection) connections.delete(endpoint);
          },
        },
      }),
    };
    connections.set(endpoint, connection);
    return connection;
  }

  return {
    count: () => counts,
    subscribe({ subgraph, serves, strict, query, operationName, variables, caller, asksForCursor }, sink) {
      const endpoint = instances.pick(subgraph, { serves, strict });
      const connection = connectionTo(endpoint);
      const subscription: Subscription = { begun: connection.connected, sink };
      let release: (() => void) | undefined;
      let open = true;
      connection.subscriptions.add(subscription);
      counts.set(subgraph, (counts.get(subgraph) ?? 0) + 1);

      function close(): boolean {
        if (!open) return false;
        open = false;
        connection.subscriptions.delete(subscription);
        counts.set(subgraph, (counts.get(subgraph) ?? 1) - 1);
        return true;
      }
      function begin(token: string | undefined): void {
        if (!open) return;
        if (subscription.begun) sink.opened();
        const extensions = {
          ...(token === undefined ? {} : { [callerHeader]: token }),
          ...(asksForCursor ? { [startCursorExtension]: true } : {}),
        };
        const payload: SubscribePayload = {
          query,
          variables: { ...variables },
          extensions,
          ...(operationName === undefined ? {} : { operationName }),
        };
        release = connection.client.subscribe<Record<string, unknown>, Record<string, unknown>>(payload, {
          next(result) {
            if (!open) return;
            const cursor = result.extensions?.['cursor'];
            if (!('data' in result) && !result.errors && typeof cursor === 'string') sink.start(cursor);
            else sink.event(result as SubgraphEvent);
          },
          error(cause) {
            if (!close()) return;
            if (Array.isArray(cause)) sink.refused(refusalOf(subgraph, cause));
            else sink.lost({ begun: subscription.begun, cause });
          },
          complete() {
            if (close()) sink.completed();
          },
        });
      }

      caller.token().then(begin, cause => {
        if (close()) sink.lost({ begun: false, cause });
      });
      return {
        close() {
          if (close()) release?.();
        },
      };
    },
    close: closeOnce(async () => {
      for (const { client } of connections.values()) await client.dispose();
    }),
  };
}

/** The first error of a subgraph that refused a subscription, as GraphQL has it. */
function refusalOf(subgraph: string, errors: readonly unknown[]): GraphQLError {
  const [first] = errors as readonly Partial<GraphQLError>[];
  return new GraphQLError(first?.message ?? `The subgraph '${subgraph}' refused the subscription`, {
    extensions: { ...first?.extensions, serviceName: subgraph },
  });
}
