import { GraphQLError } from 'graphql';
import {
  GRAPHQL_TRANSPORT_WS_PROTOCOL,
  type Message,
  MessageType,
  parseMessage,
  type SubscribePayload,
  stringifyMessage,
} from 'graphql-ws';
import { WebSocket } from 'ws';
import type { Logger } from '../../platform/log.ts';
import type { Endpoint } from '../routing/endpoint.ts';
import type { SubgraphEvent } from './subscription-plan.ts';
import type { Upstream, UpstreamSink } from './upstream.ts';

/** How long a connection without a subscription is kept, in ms. */
const idleMs = 10_000;
/** How often a connection is tried, and how long it may take to answer, in ms. */
const keepAliveMs = 5_000;
const connectTimeoutMs = 2_000;
/** Largest event that a subgraph may send, in bytes. */
const maxEventBytes = 16 * 1024 * 1024;

interface ConnectionOptions {
  readonly endpoint: Endpoint;
  /** The connection is gone; its subscriptions are told after that. */
  readonly onClosed: () => void;
  readonly log: Logger;
}

/** One subscription on a connection. Nothing comes of it once it is closed. */
class ConnectedSubscription implements Upstream {
  readonly id: number;
  readonly sink: UpstreamSink;
  /** Whether the instance has been asked to run it. */
  begun = false;
  readonly #connection: UpstreamConnection;

  constructor(connection: UpstreamConnection, id: number, sink: UpstreamSink) {
    this.#connection = connection;
    this.id = id;
    this.sink = sink;
  }

  close(): void {
    this.#connection.remove(this);
  }
}

/**
 * A WebSocket to an instance of a subgraph, with all subscriptions that are open there, over graphql-transport-ws
 * (https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md). It holds a few hundred bytes for each, where
 * graphql-ws's own client holds some kilobytes.
 */
export class UpstreamConnection {
  /** Resolves when the instance has taken the connection, or never will. */
  readonly settled: Promise<void>;
  readonly #options: ConnectionOptions;
  readonly #socket: WebSocket;
  readonly #subscriptions = new Map<number, ConnectedSubscription>();
  #settle = () => {};
  #isReady = false;
  #lastId = 0;
  #awaitsPong = false;
  #fault: unknown;
  /** Waits for the acknowledgement, then tries the connection. */
  #watch: NodeJS.Timeout | undefined;
  #idle: NodeJS.Timeout | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.settled = new Promise(resolve => {
      this.#settle = resolve;
    });
    this.#socket = new WebSocket(options.endpoint.url.replace(/^http/, 'ws'), GRAPHQL_TRANSPORT_WS_PROTOCOL, {
      handshakeTimeout: connectTimeoutMs,
      maxPayload: maxEventBytes,
    });
    this.#socket.on('open', () => {
      this.#send({ type: MessageType.ConnectionInit });
      this.#watch = setTimeout(() => this.#giveUp('did not acknowledge a connection'), connectTimeoutMs);
    });
    this.#socket.on('message', data => this.#read((data as Buffer).toString()));
    this.#socket.on('error', error => {
      this.#fault ??= error;
    });
    this.#socket.on('close', (code, reason) => this.#closed(code, String(reason)));
  }

  /** Subscriptions that are open. */
  get size(): number {
    return this.#subscriptions.size;
  }

  /** Whether it takes more subscriptions. */
  get isUsable(): boolean {
    return this.#socket.readyState === WebSocket.CONNECTING || this.#socket.readyState === WebSocket.OPEN;
  }

  /** Takes a subscription in, which {@link start} begins. */
  add(sink: UpstreamSink): ConnectedSubscription {
    clearTimeout(this.#idle);
    this.#lastId += 1;
    const subscription = new ConnectedSubscription(this, this.#lastId, sink);
    this.#subscriptions.set(subscription.id, subscription);
    return subscription;
  }

  /** Asks the instance to run a subscription that is still open. */
  start(subscription: ConnectedSubscription, payload: SubscribePayload): void {
    if (!this.#isReady || !this.#subscriptions.has(subscription.id)) return;
    subscription.begun = true;
    subscription.sink.opened();
    this.#send({ type: MessageType.Subscribe, id: String(subscription.id), payload });
  }

  /** Closes one subscription, of which nothing more is to come. @returns whether it was open */
  remove({ id, begun }: ConnectedSubscription): boolean {
    if (!this.#forget(id)) return false;
    if (begun) this.#send({ type: MessageType.Complete, id: String(id) });
    return true;
  }

  close(): void {
    this.#socket.close(1000, 'Normal Closure');
  }

  #forget(id: number): boolean {
    if (!this.#subscriptions.delete(id)) return false;
    if (this.#subscriptions.size === 0) this.#idle = setTimeout(() => this.close(), idleMs);
    return true;
  }

  #read(text: string): void {
    try {
      this.#handle(parseMessage(text));
    } catch (error) {
      this.#fault = error;
      this.#socket.terminate();
    }
  }

  #handle(message: Message): void {
    switch (message.type) {
      case MessageType.ConnectionAck:
        this.#taken();
        return;
      case MessageType.Ping:
        this.#send({ type: MessageType.Pong, ...(message.payload ? { payload: message.payload } : {}) });
        return;
      case MessageType.Pong:
        this.#awaitsPong = false;
        return;
      case MessageType.Next: {
        const { payload } = message;
        const sink = this.#subscriptions.get(Number(message.id))?.sink;
        const cursor = payload.extensions?.['cursor'];
        const isStart = !('data' in payload) && !payload.errors && typeof cursor === 'string';
        if (isStart) sink?.start(cursor);
        else sink?.event(payload as SubgraphEvent);
        return;
      }
      case MessageType.Error:
        this.#take(message.id)?.refused(refusalOf(this.#options.endpoint.subgraph, message.payload));
        return;
      case MessageType.Complete:
        this.#take(message.id)?.completed();
        return;
      default:
        throw new Error(`A subgraph expected to send what a client may get, but sent '${message.type}'`);
    }
  }

  /** The sink of a subscription that the instance has ended. */
  #take(id: string): UpstreamSink | undefined {
    const subscription = this.#subscriptions.get(Number(id));
    if (subscription) this.#forget(subscription.id);
    return subscription?.sink;
  }

  #taken(): void {
    clearTimeout(this.#watch);
    this.#isReady = true;
    this.#options.endpoint.succeeded();
    this.#settle();
    this.#watch = setInterval(() => {
      if (this.#awaitsPong) return this.#giveUp('no longer answers');
      this.#awaitsPong = true;
      this.#send({ type: MessageType.Ping });
    }, keepAliveMs);
  }

  #giveUp(why: string): void {
    this.#fault = new Error(`The subgraph '${this.#options.endpoint.subgraph}' ${why}`);
    this.#socket.terminate();
  }

  #closed(code: number, reason: string): void {
    clearTimeout(this.#watch);
    clearTimeout(this.#idle);
    const { endpoint, onClosed, log } = this.#options;
    const subscriptions = [...this.#subscriptions.values()];
    this.#subscriptions.clear();
    const cause = this.#fault ?? new Error(`The connection was closed with ${code} ${reason}`);
    if (subscriptions.length > 0)
      log.warn(
        {
          subgraph: endpoint.subgraph,
          instance: endpoint.id,
          subscriptions: subscriptions.length,
          err: cause,
        },
        'A connection with subscriptions was lost',
      );
    // A connection that was never made says as much of the instance as a request that failed.
    if (!this.#isReady) endpoint.failed();
    onClosed();
    this.#settle();
    for (const { sink, begun } of subscriptions) sink.lost({ begun, cause });
  }

  #send(message: Message): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(stringifyMessage(message));
  }
}

/** The first error of a subgraph that refused a subscription, as GraphQL has it. */
function refusalOf(subgraph: string, [first]: readonly Partial<GraphQLError>[]): GraphQLError {
  return new GraphQLError(first?.message ?? `The subgraph '${subgraph}' refused the subscription`, {
    extensions: { ...first?.extensions, serviceName: subgraph },
  });
}
