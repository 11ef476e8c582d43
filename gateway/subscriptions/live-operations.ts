import type { ExecutionResult, GraphQLError, ValidationRule } from 'graphql';
import { PorticoError } from '../../platform/errors.ts';
import { type Closable, closeOnce } from '../../platform/lifecycle.ts';
import type { Logger } from '../../platform/log.ts';
import type { GatewayConfig } from '../config.ts';
import type { Costs } from '../cost/costs.ts';
import { asGraphQLError, graphNotReady } from '../errors.ts';
import { whenEnded } from '../execution/generators.ts';
import type { RunLimits } from '../execution/limits.ts';
import type { FormatError } from '../format.ts';
import { type PassedHeaders, passOneWay } from '../header-rules.ts';
import { byPath, partsOf } from '../incremental/formats.ts';
import { runInParts } from '../incremental/run-in-parts.ts';
import type { Apollo } from '../operation-context.ts';
import type { OnOver, OperationTime } from '../operation-time.ts';
import { overloaded, type RequestLimit } from '../overload.ts';
import type { OperationCaller } from '../security/operation-caller.ts';
import type { Graph } from '../supergraph/graph/graph.ts';
import type { ServedGraph } from '../supergraph/served-graph.ts';
import { Turn } from '../turn.ts';
import { type LiveOperation, LiveStream, type StreamHost } from './live-stream.ts';
import type { LiveMetrics, Transport } from './metrics.ts';
import {
  createOperationReader,
  type Operation,
  type OperationReader,
  type OperationRequest,
} from './operation.ts';
import { LiveResults } from './results.ts';
import type { UpstreamSink } from './upstream/sink.ts';
import type { Upstreams } from './upstream/upstreams.ts';

/** Client of an operation, with the transport of its results. */
export interface LiveClient {
  readonly caller: OperationCaller;
  readonly address: string;
  /** Headers of the client's request that go to subgraphs for as long as it listens. */
  readonly headers: PassedHeaders['request'];
  readonly transport: Transport;
}

/** Operations that run for as long as their client listens; every transport brings them here. */
export interface LiveOperations extends Closable {
  /** True if there is a graph. */
  readonly isReady: boolean;
  /**
   * Checks an operation against the graph that is served now.
   * @throws RefusedOperation when it can't be run; PorticoError GRAPH_NOT_READY when there is no graph yet
   */
  read(request: OperationRequest, caller: OperationCaller): Operation;
  /**
   * Runs a subscription. Clients that ask for the same, on behalf of the same caller and with the same headers, share
   * one subscription of the subgraph and one run of the plan for each event.
   *
   * @param onEnded is called once, when nothing more is taken or comes; with the error of a client that was too slow
   */
  subscribe(
    operation: LiveOperation,
    client: LiveClient,
    onEnded: (overflow?: GraphQLError) => void,
  ): LiveResults;
  /** Runs a query or mutation the way it goes over plain HTTP. */
  execute(operation: Operation, client: Omit<LiveClient, 'transport'>): Promise<ExecutionResult>;
  /** Runs a query or mutation whose fragments with `@defer` come later. @returns the parts, as clients get them */
  executeInParts(
    operation: Operation,
    client: Omit<LiveClient, 'transport'> & { readonly signal: AbortSignal },
  ): Promise<AsyncGenerator<object, void, undefined>>;
}

interface LiveOperationsOptions {
  readonly served: Pick<ServedGraph, 'graph' | 'onGraph' | 'versionOf' | 'isStrict'>;
  readonly upstreams: Upstreams;
  /** Rules of validation beside those of the specification. */
  readonly rules: readonly ValidationRule[];
  /** @default costs are not looked at */
  readonly costs?: Pick<Costs, 'check'>;
  /** @default defaultRunLimits */
  readonly limits?: RunLimits;
  /** Runs queries and mutations; undefined until there is a graph. */
  readonly apollo: () => Apollo | undefined;
  /** Bounds the queries and mutations that are under way. */
  readonly limit: RequestLimit;
  readonly time: OperationTime;
  readonly config: Pick<GatewayConfig, 'LIVE_BUFFER_EVENTS' | 'LIVE_RESUME_TIMEOUT_MS'>;
  readonly metrics: LiveMetrics;
  readonly formatError: FormatError;
  readonly log: Logger;
}

/** Tells whether an operation is a subscription. */
export function isLive(operation: Operation): operation is LiveOperation {
  return operation.subscription !== undefined;
}

/** Creates the runner of live operations, on whichever graph is served. */
export function createLiveOperations(options: LiveOperationsOptions): LiveOperations {
  const { served, upstreams, apollo, limit, time, config, metrics, formatError, log } = options;
  const reader = createOperationReader(options);
  const streamsByKey = new Map<string, readonly LiveStream[]>();

  const host: StreamHost = {
    open: (operation, given, sink) => openUpstream({ served, upstreams }, operation, given, sink),
    moved(stream) {
      for (const other of streamsByKey.get(stream.key) ?? []) {
        if (other === stream || other.position !== stream.position) continue;
        if (stream.isCurrent) other.mergeInto(stream);
        else return stream.mergeInto(other);
      }
    },
    ended(stream) {
      const others = streamsByKey.get(stream.key)?.filter(other => other !== stream) ?? [];
      if (others.length > 0) streamsByKey.set(stream.key, others);
      else streamsByKey.delete(stream.key);
    },
    resumeTimeoutMs: config.LIVE_RESUME_TIMEOUT_MS,
    metrics,
    log,
  };

  function joinOrBegin(operation: LiveOperation, { caller, headers }: LiveClient): LiveStream {
    const { resumption, isShareable } = operation.subscription;
    const after = resumption?.startOf(operation.variables);
    if (after !== undefined) metrics.replayed();
    const key = keyOf(operation, caller, headers);
    const streams = streamsByKey.get(key) ?? [];
    for (const stream of streams)
      if (isShareable && (after === undefined ? stream.isCurrent : stream.position === after)) return stream;
    const stream = new LiveStream({ key, operation, caller, headers, after }, host);
    streamsByKey.set(key, [...streams, stream]);
    stream.begin();
    return stream;
  }

  const unfollow = served.onGraph(graph => {
    for (const streams of streamsByKey.values())
      for (const stream of streams) followGraph(reader.read, stream, graph);
  });

  return {
    get isReady() {
      return served.graph !== undefined && apollo() !== undefined;
    },
    read(request, caller) {
      const { graph } = served;
      if (!graph) throw graphNotReady();
      return reader.read(graph, request, caller);
    },
    subscribe(operation, client, onEnded) {
      const { transport } = client;
      const stream = joinOrBegin(operation, client);
      const results = new LiveResults({
        maxWaiting: config.LIVE_BUFFER_EVENTS,
        onEnded(overflow) {
          metrics.operationEnded(transport);
          if (overflow) metrics.slowClient();
          stream.remove(results);
          onEnded(overflow);
        },
      });
      metrics.operationBegan(transport);
      stream.add(results);
      return results;
    },
    async execute({ request }, client) {
      const server = apollo();
      if (!server) return { errors: [graphNotReady().toGraphQLError()] };
      const leave = limit.enter();
      if (!leave) return { errors: [overloaded().toGraphQLError()] };
      try {
        return await time.bound(onOver => executeOnce(server, request, client, onOver));
      } catch (error) {
        return { errors: [asGraphQLError(error)] };
      } finally {
        leave();
      }
    },
    async executeInParts(operation, { caller, address, headers, signal }) {
      const leave = limit.enter();
      const bounded = AbortSignal.any([signal, time.signal()]);
      const context = { caller, address, headers: passOneWay(headers), turn: new Turn(), signal: bounded };
      const run = () => runInParts(operation, context).catch(error => ({ errors: [asGraphQLError(error)] }));
      const result = leave ? await run() : { errors: [overloaded().toGraphQLError()] };
      return whenEnded(partsOf(result, byPath, formatError), () => leave?.());
    },
    close: closeOnce(async () => {
      unfollow();
      for (const streams of streamsByKey.values()) for (const stream of streams) stream.end();
    }),
  };
}

async function executeOnce(
  server: Apollo,
  { query, variables, operationName }: OperationRequest,
  { caller, address, headers }: Omit<LiveClient, 'transport'>,
  onOver: OnOver,
): Promise<ExecutionResult> {
  const over = new AbortController();
  onOver(() => over.abort());
  const contextValue = {
    caller,
    address,
    headers: passOneWay(headers),
    turn: new Turn(),
    signal: over.signal,
  };
  const { body } = await server.executeOperation(
    {
      query,
      variables: (variables ?? {}) as Record<string, never>,
      ...(operationName == null ? {} : { operationName }),
    },
    { contextValue },
  );
  if (body.kind !== 'single')
    throw new Error('Apollo Server answered with incremental delivery, which no client here asked for');
  return body.singleResult as ExecutionResult;
}

function openUpstream(
  { served, upstreams }: Pick<LiveOperationsOptions, 'served' | 'upstreams'>,
  { graph, subscription: { plan, resumption } }: LiveOperation,
  { variables, caller }: Parameters<StreamHost['open']>[1],
  sink: UpstreamSink,
) {
  const hash = graph.subgraphs.find(({ name }) => name === plan.subgraph)?.hash;
  return upstreams.subscribe(
    {
      subgraph: plan.subgraph,
      serves: instance => served.versionOf(instance) === hash,
      strict: served.isStrict,
      query: plan.query,
      operationName: plan.operationName,
      variables: Object.fromEntries(
        plan.variableNames.filter(name => name in variables).map(name => [name, variables[name]]),
      ),
      caller,
      asksForCursor: resumption !== undefined,
    },
    sink,
  );
}

/** Goes on in another graph, if the operation is valid there. */
function followGraph(read: OperationReader['read'], stream: LiveStream, graph: Graph): void {
  try {
    const operation = read(graph, stream.operation.request, stream.caller);
    if (isLive(operation)) stream.follow(operation);
  } catch (error) {
    const message = `The graph has changed, and this subscription is not valid any more: ${(error as Error).message}`;
    stream.end(new PorticoError('GRAPHQL_VALIDATION_FAILED', message, { cause: error }).toGraphQLError());
  }
}

/** Subscriptions with the same key bring the same results. */
function keyOf(
  { subscription, variables }: LiveOperation,
  caller: OperationCaller,
  headers: PassedHeaders['request'],
): string {
  const others = subscription.resumption?.othersOf(variables) ?? variables;
  return JSON.stringify([subscription.id, others, caller.key, headers]);
}
