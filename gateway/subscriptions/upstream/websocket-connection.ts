import type { IncomingMessage } from 'node:http';
import type { LookupFunction } from 'node:net';
import type { SubscribePayload } from 'graphql-ws';
import { WebSocket } from 'ws';
import { checkDepth } from '../../../platform/graphql/answer.ts';
import type { Logger } from '../../../platform/log.ts';
import type { Endpoint } from '../../routing/endpoint.ts';
import { isUnwell, maxEventBytes, ProtocolError, passEvent, refusalOf } from './results.ts';
import type { Upstream, UpstreamSink } from './sink.ts';
import { type InstanceMessage, type WebSocketProtocol, webSocketProtocols } from './websocket-protocols.ts';

/** Time that a connection without a subscription is kept, in ms. */
const idleMs = 10_000;
/** Time between two pings of a connection, and longest time until the answer, in ms. */
const keepAliveMs = 5_000;
const connectTimeoutMs = 2_000;
/** Codes with which servers close a connection whose protocol they do not speak. */
const protocolCloseCodes: ReadonlySet<number> = new Set([1002, 4406]);

interface ConnectionOptions {
  readonly endpoint: Endpoint;
  /** Protocols that are offered; the instance chooses. */
  readonly protocols: readonly WebSocketProtocol[];
  /** Looks up the host of the instance. */
  readonly lookup: LookupFunction;
  /** The connection is gone; its subscriptions are told after that. */
  readonly onClosed: () => void;
  readonly log: Logger;
}

/** One subscription on a connection. Nothing comes of it once it is closed. */
class ConnectedSubscription implements Upstream {
  readonly id: number;
  readonly sink: UpstreamSink;
  /** True if the instance has been asked to run it. */
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
 * A WebSocket to an instance of a subgraph, with all subscriptions that are open there. It holds a few hundred bytes for
 * each, where graphql-ws's own client holds some kilobytes.
 */
export class UpstreamConnection {
  /**
   * Resolves when the instance has taken the connection, or never will: with an error when it speaks none of the protocols.
   * Its subscriptions are not told of that; whoever waits for this does what there is to do.
   */
  readonly settled: Promise<ProtocolError | undefined>;
  readonly #options: ConnectionOptions;
  readonly #socket: WebSocket;
  readonly #subscriptions = new Map<number, ConnectedSubscription>();
  #settle: (fault?: ProtocolError) => void = () => {};
  #protocol: WebSocketProtocol = webSocketProtocols[0] as WebSocketProtocol;
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
    const { endpoint, protocols, lookup } = options;
    const names = protocols.map(({ name }) => name);
    this.#socket = new WebSocket(endpoint.subscriptionsUrl.replace(/^http/, 'ws'), names, {
      handshakeTimeout: connectTimeoutMs,
      maxPayload: maxEventBytes,
      lookup,
    });
    this.#socket.on('unexpected-response', (_request, response) => this.#refuse(response));
    this.#socket.on('open', () => {
      this.#protocol = protocols.find(({ name }) => name === this.#socket.protocol) ?? this.#protocol;
      this.#send(this.#protocol.init);
      this.#watch = setTimeout(() => this.#giveUp('did not acknowledge a connection'), connectTimeoutMs);
    });
    this.#socket.on('message', data => this.#read((data as Buffer).toString()));
    this.#socket.on('pong', () => {
      this.#awaitsPong = false;
    });
    this.#socket.on('error', error => {
      // What `ws` says of an answer to the handshake that names another protocol than those that were offered, or none.
      if (/subprotocol/.test(error.message)) this.#fault ??= this.#protocolError(error.message);
      this.#fault ??= error;
    });
    this.#socket.on('close', (code, reason) => this.#closed(code, String(reason)));
  }

  /** Subscriptions that are open. */
  get size(): number {
    return this.#subscriptions.size;
  }

  /** True if it takes more subscriptions. */
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
    this.#send(this.#protocol.start(String(subscription.id), payload));
  }

  /** Closes one subscription, of which nothing more is to come. @returns whether it was open */
  remove({ id, begun }: ConnectedSubscription): boolean {
    if (!this.#forget(id)) return false;
    if (begun) this.#send(this.#protocol.stop(String(id)));
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

  /** The instance answers the handshake with no WebSocket. */
  #refuse({ statusCode, headers }: IncomingMessage): void {
    const came = `status ${statusCode} and ${headers['content-type'] ?? 'no content type'}`;
    const location = headers.location === undefined ? '' : `, which leads to ${headers.location}`;
    this.#fault = isUnwell(statusCode)
      ? new Error(`The handshake was answered with ${came}`)
      : this.#protocolError(`${came}${location}`);
    this.#socket.terminate();
  }

  #protocolError(came: string): ProtocolError {
    const { endpoint, protocols } = this.#options;
    const names = protocols.map(({ name }) => name).join(' and ');
    return new ProtocolError(`${names} at ${endpoint.subscriptionsUrl}: ${came}`);
  }

  #read(text: string): void {
    try {
      checkDepth(text);
      this.#handle(this.#protocol.read(text));
    } catch (error) {
      this.#fault = error;
      this.#socket.terminate();
    }
  }

  #handle(message: InstanceMessage): void {
    switch (message.kind) {
      case 'acknowledged':
        this.#taken();
        return;
      case 'rejected':
        this.#giveUp(`does not take a connection: ${message.reason}`);
        return;
      case 'ping':
        this.#send(message.answer);
        return;
      case 'pong':
        this.#awaitsPong = false;
        return;
      case 'event': {
        const sink = this.#subscriptions.get(Number(message.id))?.sink;
        if (sink) passEvent(message.event, sink);
        return;
      }
      case 'refused':
        this.#take(message.id)?.refused(refusalOf(this.#options.endpoint.subgraph, message.errors));
        return;
      case 'completed':
        this.#take(message.id)?.completed();
        return;
      case 'idle':
        return;
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
      if (this.#protocol.ping === undefined) this.#socket.ping();
      else this.#send(this.#protocol.ping);
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
    if (!this.#isReady && protocolCloseCodes.has(code))
      this.#fault ??= this.#protocolError(`it was closed with ${code} ${reason}`);
    const cause = this.#fault ?? new Error(`The connection was closed with ${code} ${reason}`);
    onClosed();
    if (cause instanceof ProtocolError) {
      this.#settle(cause);
      return;
    }
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
    this.#settle();
    for (const { sink, begun } of subscriptions) sink.lost({ begun, cause });
  }

  #send(message: string): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(message);
  }
}
