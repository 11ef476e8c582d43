import type { LookupFunction } from 'node:net';
import { GraphQLError } from 'graphql';
import type { SubscribePayload } from 'graphql-ws';
import { Agent } from 'undici';
import { callerHeader } from '../../../platform/caller.ts';
import { startCursorExtension } from '../../../platform/graphql/start-cursor.ts';
import { type Closable, closeOnce } from '../../../platform/lifecycle.ts';
import type { Logger } from '../../../platform/log.ts';
import type { ServiceInstance } from '../../../platform/registry/instance.ts';
import { lookupAnyHost } from '../../../platform/registry/instance-connections.ts';
import type { Endpoint } from '../../routing/endpoint.ts';
import type { Instances } from '../../routing/instances.ts';
import type { ShowAnswer } from '../../routing/shown-answer.ts';
import type { OperationCaller } from '../../security/operation-caller.ts';
import { openStream } from './event-stream.ts';
import { createInstanceProtocols } from './instance-protocols.ts';
import type { ProtocolError } from './results.ts';
import type { Upstream, UpstreamSink } from './sink.ts';
import { UpstreamConnection } from './websocket-connection.ts';

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
  /** True if the subgraph is asked where its events begin. */
  readonly asksForCursor: boolean;
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

interface UpstreamsOptions {
  readonly instances: Instances;
  readonly show: ShowAnswer;
  /** Looks up the hosts of instances. @default anywhere where a service can be */
  readonly lookup?: LookupFunction;
  readonly log: Logger;
}

/** A subscription, and where it is opened. */
interface Request {
  readonly subscription: UpstreamSubscription;
  readonly sink: UpstreamSink;
  readonly endpoint: Endpoint;
}

/**
 * Opens subgraphs' subscriptions by the protocol that an instance speaks: over a WebSocket, where one connection to an
 * instance carries all that go there, or else over Server-Sent Events, where each has its own. The instance may say which
 * in its metadata; otherwise the handshake of a WebSocket finds out, and a stream is tried where that is refused.
 */
export function createUpstreams(options: UpstreamsOptions): Upstreams {
  const { instances, show, lookup = lookupAnyHost, log } = options;
  const connections = new Map<Endpoint, UpstreamConnection>();
  const streams = new Set<{ readonly endpoint: Endpoint }>();
  const protocolOf = createInstanceProtocols(log);
  // A stream may be silent for as long as it likes.
  const dispatcher = new Agent({ bodyTimeout: 0, connect: { timeout: 1_000, lookup } });

  function connectionTo(endpoint: Endpoint): UpstreamConnection {
    const known = connections.get(endpoint);
    if (known?.isUsable) return known;
    const connection: UpstreamConnection = new UpstreamConnection({
      endpoint,
      protocols: protocolOf(endpoint).offered,
      lookup,
      onClosed() {
        if (connections.get(endpoint) === connection) connections.delete(endpoint);
      },
      log,
    });
    connections.set(endpoint, connection);
    return connection;
  }

  function openStreamAt(
    { subscription, sink, endpoint }: Request,
    callerToken: string | undefined,
    fault: ProtocolError | undefined,
  ): Upstream {
    const protocol = protocolOf(endpoint);
    const entry = { endpoint };
    streams.add(entry);
    return openStream(
      {
        endpoint,
        dispatcher,
        payload: payloadOf(subscription, callerToken),
        callerToken,
        isKnownToStream: protocol.streams,
        onOpened() {
          protocol.streams = true;
        },
        onProtocolError(error) {
          protocol.streams = false;
          sink.refused(protocol.unsupported(fault ? [fault, error] : [error]));
        },
        onEnded: () => streams.delete(entry),
        log,
      },
      sink,
    );
  }

  function open(request: Request, token: Promise<string | undefined>): Upstream {
    const { subscription, sink, endpoint } = request;
    const protocol = protocolOf(endpoint);
    const connection = protocol.streams ? undefined : connectionTo(endpoint);
    const connected = connection?.add(sink);
    let upstream: Upstream | undefined = connected;
    let isOpen = true;

    async function begin(fault: ProtocolError | undefined): Promise<void> {
      try {
        const callerToken = await token;
        if (!isOpen) return;
        if (connected && !fault) connection?.start(connected, payloadOf(subscription, callerToken));
        else if (fault && !protocol.mayStream) sink.refused(protocol.unsupported([fault]));
        else upstream = openStreamAt(request, callerToken, fault);
      } catch (cause) {
        // A connection that was lost meanwhile has told the sink so.
        if (isOpen && (!connected || fault || connection?.remove(connected)))
          sink.lost({ begun: false, cause });
      }
    }

    token.catch(() => {});
    void Promise.resolve(connection?.settled).then(begin);

    return {
      close() {
        isOpen = false;
        upstream?.close();
      },
    };
  }

  return {
    count() {
      const counts = new Map<string, number>();
      const add = ({ subgraph }: Endpoint, count: number) =>
        counts.set(subgraph, (counts.get(subgraph) ?? 0) + count);
      for (const [endpoint, { size }] of connections) add(endpoint, size);
      for (const { endpoint } of streams) add(endpoint, 1);
      return counts;
    },
    subscribe(subscription, sink) {
      const { subgraph, serves, strict, caller } = subscription;
      const endpoint = instances.pick(subgraph, { serves, strict });
      return open({ subscription, sink: showing(sink, subgraph, show), endpoint }, caller.token(subgraph));
    },
    close: closeOnce(async () => {
      for (const connection of connections.values()) connection.close();
      await dispatcher.destroy();
    }),
  };
}

/** Gives a sink what clients may see of events and refusals. */
function showing(sink: UpstreamSink, subgraph: string, show: ShowAnswer): UpstreamSink {
  return {
    opened: () => sink.opened(),
    start: cursor => sink.start(cursor),
    event: event => sink.event(show(subgraph, event)),
    completed: () => sink.completed(),
    refused(error) {
      const { message, extensions, originalError } = error;
      // The gateway's own errors are as they are.
      if (originalError) return sink.refused(error);
      const [shown] = show(subgraph, { errors: [{ message, extensions }] }).errors ?? [];
      sink.refused(
        new GraphQLError(shown?.message ?? message, {
          extensions: { ...shown?.extensions, serviceName: subgraph },
        }),
      );
    },
    lost: reason => sink.lost(reason),
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
