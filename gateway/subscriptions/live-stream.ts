import type { ExecutionResult, GraphQLError } from 'graphql';
import type { Logger } from '../../platform/log.ts';
import { asGraphQLError } from '../errors.ts';
import { GatewayError } from '../gateway-error.ts';
import type { PassedHeaders } from '../header-rules.ts';
import type { OperationCaller } from '../security/operation-caller.ts';
import { Deliveries } from './deliveries.ts';
import { EntityBatches } from './entity-batches.ts';
import type { LiveMetrics } from './metrics.ts';
import type { Operation, PlannedSubscription } from './operation.ts';
import type { StreamListener } from './results.ts';
import { afterVariable } from './resumption.ts';
import { lostError, SubgraphSearch } from './subgraph-search.ts';
import type { SubgraphEvent } from './subscription-plan.ts';
import type { Upstream, UpstreamSink } from './upstream/sink.ts';

/** A subscription in one graph. */
export type LiveOperation = Operation & { readonly subscription: PlannedSubscription };

/** The events of a stream, and the client on whose behalf they are read. */
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

/** The part of the gateway that runs streams. */
export interface StreamHost {
  /** Opens the operation at an instance of its subgraph. @throws PorticoError SUBGRAPH_UNAVAILABLE when there is none */
  open(
    operation: LiveOperation,
    options: { readonly variables: Readonly<Record<string, unknown>>; readonly caller: OperationCaller },
    sink: UpstreamSink,
  ): Upstream;
  /** The stream stands after another cursor. */
  moved(stream: LiveStream): void;
  ended(stream: LiveStream): void;
  /** Longest time that a lost subgraph is looked for, in ms. */
  readonly resumeTimeoutMs: number;
  readonly metrics: Pick<LiveMetrics, 'eventReceived' | 'eventCompleted' | 'resumed' | 'abandoned'>;
  readonly log: Logger;
}

type StreamState =
  /** An instance is asked; from `openedAtMs` on, it has taken the connection. */
  | { readonly phase: 'open'; upstream?: Upstream; openedAtMs?: number }
  /** The subgraph was lost, and is asked again in a moment. */
  | { readonly phase: 'lost'; readonly retry: NodeJS.Timeout }
  /** Events came faster than they could be completed; the subgraph is asked again when those are delivered. */
  | { readonly phase: 'paused' }
  /** Another stream has the listeners. */
  | { readonly phase: 'merged'; readonly into: LiveStream }
  | { readonly phase: 'ended' };

/** Most events of a stream that are completed at once, or wait for one before them. */
const maxPending = 256;

/**
 * One subscription of a subgraph, for all the clients that asked for the same on behalf of the same caller. Its events
 * are completed from the other subgraphs, several at once, and delivered in order. When the subgraph is lost, or the
 * graph changes, it goes on after the last event that came.
 */
export class LiveStream implements UpstreamSink {
  /** Cursor of the last result that was delivered, or of where the events begin. */
  position: string | undefined;
  /** True if it brings what comes from now on, so that a client which asks for that may join. */
  readonly isCurrent: boolean;
  readonly key: string;
  readonly caller: OperationCaller;
  readonly #headers: PassedHeaders['request'];
  readonly #host: StreamHost;
  readonly #listeners = new Set<StreamListener>();
  readonly #deliveries = new Deliveries();
  readonly #batches = new EntityBatches();
  readonly #search: SubgraphSearch;
  #state: StreamState = { phase: 'open' };
  #operation: LiveOperation;
  /** Cursor of the last event that came. */
  #received: string | undefined;
  /** True if any event has come. */
  #hasBrought = false;

  constructor({ key, operation, caller, headers, after }: LiveStreamOptions, host: StreamHost) {
    this.key = key;
    this.#operation = operation;
    this.caller = caller;
    this.#headers = headers;
    this.#host = host;
    this.#search = new SubgraphSearch(host.resumeTimeoutMs);
    this.position = after;
    this.#received = after;
    this.isCurrent = after === undefined;
  }

  get operation(): LiveOperation {
    return this.#operation;
  }

  get #hasEnded(): boolean {
    return this.#state.phase === 'merged' || this.#state.phase === 'ended';
  }

  /** Opens the subscription, or opens it again. */
  begin(): void {
    const { subscription, variables } = this.#operation;
    const own = subscription.resumption ? { [afterVariable]: this.#received ?? null } : {};
    const options = { variables: { ...variables, ...own }, caller: this.caller };
    const opening: StreamState = { phase: 'open' };
    this.#enter(opening);
    try {
      opening.upstream = this.#host.open(this.#operation, options, this);
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
    if (this.#state.phase === 'merged') this.#state.into.remove(listener);
    else if (this.#listeners.delete(listener) && this.#listeners.size === 0) this.#stop({ phase: 'ended' });
  }

  /** Gives all listeners to a stream that stands at the same position, and ends. */
  mergeInto(other: LiveStream): void {
    if (this.#hasEnded || other.#hasEnded) return;
    for (const listener of this.#listeners) other.#listeners.add(listener);
    this.#stop({ phase: 'merged', into: other });
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
    if (this.#hasEnded) return;
    const listeners = [...this.#listeners];
    this.#stop({ phase: 'ended' });
    for (const listener of listeners) listener.end(error);
  }

  opened(): void {
    if (this.#state.phase === 'open') this.#state.openedAtMs = performance.now();
  }

  start(cursor: string): void {
    this.#search.found();
    // Only what the subgraph says first counts; later, the events tell where the stream stands.
    if (this.#received !== undefined) return;
    this.#received = cursor;
    this.position = cursor;
    for (const listener of this.#listeners) listener.start(cursor);
    this.#host.moved(this);
  }

  event(event: SubgraphEvent): void {
    this.#search.found();
    if (this.#deliveries.pending >= maxPending) this.#pause();
    else this.#complete(event);
  }

  completed(): void {
    this.#endAfterDeliveries();
  }

  refused(error: GraphQLError): void {
    if (error.extensions['code'] === 'SERVICE_UNAVAILABLE') this.lost({ begun: false, cause: error });
    else this.#endAfterDeliveries(() => error);
  }

  lost({ begun, cause }: { readonly begun: boolean; readonly cause: unknown }): void {
    if (this.#hasEnded) return;
    const { metrics, log } = this.#host;
    const { subgraph } = this.#operation.subscription.plan;
    const openedAtMs = this.#state.phase === 'open' ? this.#state.openedAtMs : undefined;
    const next = this.#search.lost({
      begun,
      openMs: openedAtMs === undefined ? 0 : performance.now() - openedAtMs,
      hasCursor: this.#received !== undefined,
      hasBrought: this.#hasBrought,
    });
    if (!next) {
      metrics.abandoned(subgraph);
      log.debug({ subgraph, err: cause }, 'A subscription has ended because its subgraph was lost');
      this.#endAfterDeliveries(() => lostError(subgraph, cause, this.position));
      return;
    }
    if (next.isNew && begun) metrics.resumed(subgraph);
    const retry = setTimeout(() => this.begin(), next.retryInMs);
    this.#enter({ phase: 'lost', retry });
  }

  /** Leaves one state for another, with what belongs to it. */
  #enter(next: StreamState): void {
    if (this.#state.phase === 'open') this.#state.upstream?.close();
    if (this.#state.phase === 'lost') clearTimeout(this.#state.retry);
    this.#state = next;
  }

  #stop(last: Extract<StreamState, { phase: 'merged' | 'ended' }>): void {
    if (this.#hasEnded) return;
    this.#enter(last);
    this.#listeners.clear();
    this.#host.ended(this);
  }

  #endAfterDeliveries(reason?: () => GraphQLError): void {
    void this.#deliveries.done.then(() => this.end(reason?.()));
  }

  #complete(event: SubgraphEvent): void {
    const { subscription, variables } = this.#operation;
    const { plan } = subscription;
    const { metrics } = this.#host;
    const cursor = subscription.resumption?.cursorOf(event);
    const beganAtMs = performance.now();
    this.#received = cursor ?? this.#received;
    this.#hasBrought = true;
    metrics.eventReceived(plan.subgraph);
    const result = plan
      .runEvent(event, {
        variables,
        caller: this.caller,
        headers: this.#headers,
        batches: this.#batches,
      })
      .catch(error => failed(error));
    this.#deliveries.add(result, completed => {
      if (this.#hasEnded) return;
      metrics.eventCompleted(plan.subgraph, (performance.now() - beganAtMs) / 1_000);
      this.#deliver(completed, cursor);
    });
  }

  #deliver(result: ExecutionResult, cursor: string | undefined): void {
    this.position = cursor ?? this.position;
    for (const listener of this.#listeners) listener.put(result, cursor);
    if (cursor !== undefined && !this.#hasEnded) this.#host.moved(this);
  }

  /** Closes the subscription until the events that came are delivered. */
  #pause(): void {
    if (this.#received === undefined) {
      const message = 'The events of this subscription come faster than the other subgraphs answer';
      this.end(new GatewayError('OVERLOADED', message).toGraphQLError());
      return;
    }
    const paused: StreamState = { phase: 'paused' };
    this.#enter(paused);
    void this.#deliveries.done.then(() => {
      // Another graph may have opened it again meanwhile.
      if (this.#state === paused) this.begin();
    });
  }
}

/** Result of an event that could not be completed. */
function failed(cause: unknown): ExecutionResult {
  return { data: null, errors: [asGraphQLError(cause)] };
}
