import type { ExecutionResult } from 'graphql';
import { GraphQLError } from 'graphql';
import { PorticoError } from '../../platform/errors.ts';
import type { Logger } from '../../platform/log.ts';
import type { PassedHeaders } from '../header-rules.ts';
import type { OperationCaller } from '../security/operation-caller.ts';
import type { Operation, PlannedSubscription } from './operation.ts';
import type { StreamListener } from './results.ts';
import { afterVariable } from './resumption.ts';
import type { SubgraphEvent } from './subscription-plan.ts';
import type { Upstream, UpstreamSink } from './upstream-sink.ts';

/** A subscription in one graph. */
export type LiveOperation = Operation & { readonly subscription: PlannedSubscription };

/** What a stream brings, and to whom. */
export interface LiveStreamOptions {
  /** Streams with the same key bring the same, but may stand at different positions. */
  readonly key: string;
  readonly operation: LiveOperation;
  readonly caller: OperationCaller;
  /** Headers that go to subgraphs with each event's fetches. */
  readonly headers: PassedHeaders['request'];
  /** Cursor after which the events begin; undefined for those that come from now on. */
  readonly after: string | undefined;
}

/** What all streams need of the gateway. */
export interface StreamHost {
  /** Opens the operation at an instance of its subgraph. @throws PorticoError SUBGRAPH_UNAVAILABLE when there is none */
  open(
    operation: LiveOperation,
    options: { readonly variables: Readonly<Record<string, unknown>>; readonly caller: OperationCaller },
    sink: UpstreamSink,
  ): Upstream;
  /** How long a subgraph that was lost is looked for, in ms. */
  readonly resumeTimeoutMs: number;
  readonly observer: StreamObserver;
  readonly log: Logger;
}

/** Who counts what a stream does. */
export interface StreamObserver {
  eventReceived(subgraph: string): void;
  eventCompleted(subgraph: string, seconds: number): void;
  resumed(subgraph: string): void;
  /** The subgraph was lost, and the stream ends. */
  abandoned(subgraph: string): void;
  /** The stream stands after another cursor. */
  moved(stream: LiveStream): void;
  ended(stream: LiveStream): void;
}

/** Events whose other fields are fetched at once, or wait for one before them. */
const maxUnderWay = 256;
/** How long a subgraph is looked for that a subscription has never reached, in ms. */
const openTimeoutMs = 2_000;
/** How long a subscription must have been open for its loss to be a new one, in ms. */
const steadyMs = 10_000;
const firstRetryMs = 50;
const maxRetryMs = 2_000;

/**
 * One subscription of a subgraph, for all the clients that asked for the same on behalf of the same caller. Its events
 * are completed from the other subgraphs, several at once, and delivered in order. When the subgraph is lost, or the
 * graph changes, it goes on after the last event that came.
 */
export class LiveStream implements UpstreamSink {
  /** Cursor of the last result that was delivered, or of where the events begin. */
  position: string | undefined;
  /** Whether it brings what comes from now on, so that a client which asks for that may join. */
  readonly isCurrent: boolean;
  readonly key: string;
  readonly #caller: OperationCaller;
  readonly #headers: PassedHeaders['request'];
  readonly #host: StreamHost;
  readonly #listeners = new Set<StreamListener>();
  #operation: LiveOperation;
  #upstream: Upstream | undefined;
  /** Cursor of the last event that came. */
  #received: string | undefined;
  #deliveries: Promise<void> = Promise.resolve();
  #underWay = 0;
  /** Whether any event has come. */
  #hasBrought = false;
  /** Counts up with each opening. */
  #openings = 0;
  #openedAtMs: number | undefined;
  #lostAtMs: number | undefined;
  #attempts = 0;
  #retry: NodeJS.Timeout | undefined;
  #ended = false;
  #mergedInto: LiveStream | undefined;

  constructor({ key, operation, caller, headers, after }: LiveStreamOptions, host: StreamHost) {
    this.key = key;
    this.#operation = operation;
    this.#caller = caller;
    this.#headers = headers;
    this.#host = host;
    this.position = after;
    this.#received = after;
    this.isCurrent = after === undefined;
  }

  get operation(): LiveOperation {
    return this.#operation;
  }

  /** Opens the subscription, or opens it again. */
  begin(): void {
    this.#upstream?.close();
    clearTimeout(this.#retry);
    this.#openings += 1;
    this.#openedAtMs = undefined;
    const { subscription, variables } = this.#operation;
    const own = subscription.resumption ? { [afterVariable]: this.#received ?? null } : {};
    try {
      const options = { variables: { ...variables, ...own }, caller: this.#caller };
      this.#upstream = this.#host.open(this.#operation, options, this);
    } catch (cause) {
      this.lost({ begun: false, cause });
    }
  }

  add(listener: StreamListener): void {
    this.#listeners.add(listener);
    if (this.position !== undefined) listener.start(this.position);
  }

  /** Without a listener, the stream ends. */
  remove(listener: StreamListener): void {
    if (this.#mergedInto) this.#mergedInto.remove(listener);
    else if (this.#listeners.delete(listener) && this.#listeners.size === 0) this.#stop();
  }

  /** Gives all listeners to a stream that stands at the same position, and ends. */
  mergeInto(other: LiveStream): void {
    if (this.#ended || other.#ended) return;
    for (const listener of this.#listeners) other.#listeners.add(listener);
    this.#mergedInto = other;
    this.#stop();
  }

  /** Goes on in another graph. */
  follow(operation: LiveOperation): void {
    const before = this.#operation.subscription.plan;
    const { plan } = operation.subscription;
    this.#operation = operation;
    if (plan.subgraph === before.subgraph && plan.query === before.query) return;
    this.begin();
  }

  /** Ends the stream for all listeners. */
  end(error?: GraphQLError): void {
    if (this.#ended) return;
    const listeners = [...this.#listeners];
    this.#stop();
    for (const listener of listeners) listener.end(error);
  }

  #stop(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#retry);
    this.#upstream?.close();
    this.#listeners.clear();
    this.#host.observer.ended(this);
  }

  opened(): void {
    this.#openedAtMs = performance.now();
  }

  start(cursor: string): void {
    this.#found();
    // Only what the subgraph says first counts; later, the events tell where the stream stands.
    if (this.#received !== undefined) return;
    this.#received = cursor;
    this.position = cursor;
    for (const listener of this.#listeners) listener.start(cursor);
    this.#host.observer.moved(this);
  }

  event(event: SubgraphEvent): void {
    this.#found();
    if (this.#underWay >= maxUnderWay) this.#pause();
    else this.#complete(event);
  }

  completed(): void {
    void this.#deliveries.then(() => this.end());
  }

  refused(error: GraphQLError): void {
    if (error.extensions['code'] === 'SERVICE_UNAVAILABLE') this.lost({ begun: false, cause: error });
    else void this.#deliveries.then(() => this.end(error));
  }

  lost({ begun, cause }: { readonly begun: boolean; readonly cause: unknown }): void {
    if (this.#ended) return;
    const { observer, resumeTimeoutMs, log } = this.#host;
    const { subgraph } = this.#operation.subscription.plan;
    const now = performance.now();
    const openMs = this.#openedAtMs === undefined ? 0 : now - this.#openedAtMs;
    if (openMs > steadyMs) this.#found();
    this.#lostAtMs ??= now;
    const patienceMs = this.#received === undefined ? openTimeoutMs : resumeTimeoutMs;
    // Who asked for what comes from now on, and has got nothing yet, has missed nothing.
    const hasJustBegun = !this.#hasBrought && openMs < openTimeoutMs;
    const mayGoOn = this.#received !== undefined || !begun || hasJustBegun;
    if (!mayGoOn || now - this.#lostAtMs > patienceMs) {
      observer.abandoned(subgraph);
      log.debug({ subgraph, err: cause }, 'A subscription has ended because its subgraph was lost');
      void this.#deliveries.then(() => this.end(lostError(subgraph, cause, this.position)));
      return;
    }
    if (this.#attempts === 0 && begun) observer.resumed(subgraph);
    const longestMs = Math.min(firstRetryMs * 2 ** this.#attempts, maxRetryMs);
    this.#attempts += 1;
    this.#retry = setTimeout(() => this.begin(), longestMs * Math.random());
  }

  #found(): void {
    this.#lostAtMs = undefined;
    this.#attempts = 0;
  }

  #complete(event: SubgraphEvent): void {
    const { subscription, variables } = this.#operation;
    const { subgraph } = subscription.plan;
    const { observer } = this.#host;
    const cursor = subscription.resumption?.cursorOf(event);
    const beganAtMs = performance.now();
    this.#received = cursor ?? this.#received;
    this.#hasBrought = true;
    this.#underWay += 1;
    observer.eventReceived(subgraph);
    const result = subscription.plan
      .runEvent(event, { variables, caller: this.#caller, headers: this.#headers })
      .catch(error => failed(error));
    this.#deliveries = this.#deliveries.then(async () => {
      const completed = await result;
      this.#underWay -= 1;
      if (this.#ended) return;
      observer.eventCompleted(subgraph, (performance.now() - beganAtMs) / 1_000);
      this.#deliver(completed, cursor);
    });
  }

  #deliver(result: ExecutionResult, cursor: string | undefined): void {
    this.position = cursor ?? this.position;
    for (const listener of this.#listeners) listener.put(result, cursor);
    if (cursor !== undefined && !this.#ended) this.#host.observer.moved(this);
  }

  /** Events come faster than they can be completed: the subscription is closed until those that came are delivered. */
  #pause(): void {
    this.#upstream?.close();
    if (this.#received === undefined) {
      const message = 'The events of this subscription come faster than the other subgraphs answer';
      this.end(new PorticoError('OVERLOADED', message).toGraphQLError());
      return;
    }
    const paused = this.#openings;
    void this.#deliveries.then(() => {
      // Another graph may have opened it again meanwhile.
      if (!this.#ended && this.#openings === paused) this.begin();
    });
  }
}

function lostError(subgraph: string, cause: unknown, cursor: string | undefined): GraphQLError {
  if (cause instanceof GraphQLError) return cause;
  const what =
    cause instanceof PorticoError ? cause.message : `The connection to the subgraph '${subgraph}' was lost`;
  const where = cursor === undefined ? '; what came since is not known' : ' after the cursor';
  const message = `${what}. Subscribe again${where}.`;
  const details = { subgraph, ...(cursor === undefined ? {} : { cursor }) };
  return new PorticoError('SUBGRAPH_UNAVAILABLE', message, { cause, details }).toGraphQLError();
}

/** What one event that could not be completed tells the client. */
function failed(cause: unknown): ExecutionResult {
  const error = cause instanceof GraphQLError ? cause : undefined;
  return {
    data: null,
    errors: [error ?? new GraphQLError('Internal server error', { originalError: cause as Error })],
  };
}
