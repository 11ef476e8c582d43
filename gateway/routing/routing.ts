import type { LookupFunction } from 'node:net';
import { Counter, Histogram } from 'prom-client';
import { Agent } from 'undici';
import { PorticoError } from '../../platform/errors.ts';
import { latencyBucketsSeconds } from '../../platform/metrics.ts';
import type { ProcessContext } from '../../platform/process.ts';
import type { RegistryView } from '../../platform/registry/follower.ts';
import { lookupAnyHost } from '../../platform/registry/instance-connections.ts';
import { serveBreakers } from '../../platform/resilience/breaker-endpoints.ts';
import { BreakerRegistry } from '../../platform/resilience/breaker-registry.ts';
import type { Breaker } from '../../platform/resilience/circuit-breaker.ts';
import { createRetryBudget } from '../../platform/resilience/retry-budget.ts';
import type { GatewayConfig } from '../config.ts';
import type { Subgraph } from '../supergraph/composition/compose.ts';
import type { SubgraphClient } from '../supergraph/graph/graph.ts';
import type { ServedGraph } from '../supergraph/served-graph.ts';
import { createInstances, type Instances } from './instances.ts';
import { createSharedFetches } from './shared-fetches.ts';
import { type ShowAnswer, showAnswers } from './shown-answer.ts';
import { createSubgraphClient } from './subgraph-client.ts';
import { AbandonedError, createSubgraphFetcher } from './subgraph-fetcher.ts';

/** Routing of requests to subgraphs. */
export interface Routing {
  readonly instances: Instances;
  /** Makes a subgraph's answer what clients may see of it. */
  readonly show: ShowAnswer;
  /** Calls back each time that a mutation is done: what is under way may not know of its effect. */
  onMutated(listener: () => void): void;
  /** Makes the client by which a graph fetches from one of its subgraphs. */
  clientOf(subgraph: Subgraph): SubgraphClient;
}

interface RoutingParts {
  readonly registry: RegistryView;
  readonly served: Pick<ServedGraph, 'versionOf' | 'isStrict' | 'following' | 'graph'>;
  /** Looks up the hosts of instances. @default anywhere where a service can be */
  readonly lookup?: LookupFunction;
}

/** Sets the routing up: instances from the registry, one breaker a subgraph, one budget of retries for all. */
export function createRouting(
  context: ProcessContext<GatewayConfig>,
  { registry, served, lookup = lookupAnyHost }: RoutingParts,
): Routing {
  const { config, log, metrics, scope, management } = context;
  const agents = new Map<string, Agent>();
  scope.defer('connections to subgraphs', async () => {
    await Promise.all([...agents.values()].map(agent => agent.close()));
  });
  const instances = scope.use(
    'instances',
    createInstances({ registry, metrics, zone: config.INSTANCE_ZONE }),
  );
  const breakers = new BreakerRegistry(metrics);
  serveBreakers(management, breakers);
  // An instance that has just come is worth a try, whatever the ones before it did.
  instances.onArrival(subgraph => breakers.get(subgraph)?.reset());

  const observer = createObserver(context);
  const show = showAnswers(config);
  const retries = createRetryBudget();
  const timeoutOf = (name: string) => config.SUBGRAPH_LIMITS[name]?.timeoutMs ?? config.SUBGRAPH_TIMEOUT_MS;
  const sharedFetches = createSharedFetches(observer.joined);
  const mutationListeners = new Set<() => void>([() => sharedFetches.forget()]);
  const onMutated = () => {
    for (const listener of mutationListeners) listener();
  };
  const isShared = (name: string) =>
    !config.DEDUPLICATION_EXCLUDED_SUBGRAPHS.some(each => each === name || each === '*');
  const fetcher = createSubgraphFetcher({ instances, retries, log, count: observer.count });

  /** Connections to the instances of one subgraph, also over several graphs. */
  function agentOf(name: string): Agent {
    const agent =
      agents.get(name) ??
      new Agent({
        connections: config.SUBGRAPH_LIMITS[name]?.connections ?? config.SUBGRAPH_CONNECTIONS,
        maxResponseSize: config.SUBGRAPH_MAX_RESPONSE_BYTES,
        keepAliveTimeout: 10_000,
        connect: { timeout: 1_000, lookup },
      });
    agents.set(name, agent);
    return agent;
  }

  function breakerOf(name: string): Breaker {
    return (
      breakers.get(name) ??
      breakers.create(name, {
        isFailure: isSubgraphFailure,
        isIgnored: saysNothing,
        settings: {
          timeoutMs: timeoutOf(name),
          failureRatePercent: config.SUBGRAPH_BREAKER_FAILURE_RATE_PERCENT,
          minimumCalls: config.SUBGRAPH_BREAKER_MINIMUM_CALLS,
          windowMs: config.SUBGRAPH_BREAKER_WINDOW_MS,
          openMs: config.SUBGRAPH_BREAKER_OPEN_MS,
        },
      })
    );
  }

  return {
    instances,
    show,
    onMutated: listener => void mutationListeners.add(listener),
    clientOf: ({ name, hash }) =>
      createSubgraphClient({
        fetcher,
        breaker: breakerOf(name),
        show,
        log,
        observe: (outcome, seconds) => observer.fetched(name, outcome, seconds),
        share: isShared(name) ? fetch => sharedFetches.share({ name, hash }, fetch) : undefined,
        onMutated,
        target: {
          subgraph: name,
          agent: agentOf(name),
          serves: instance => served.versionOf(instance) === hash,
          // A graph that was replaced, and still runs operations that began on it, takes what there is.
          isStrict: () =>
            served.isStrict &&
            (served.graph?.subgraphs.some(each => each.name === name && each.hash === hash) ?? false),
          graphFollows: () => served.following,
          maxConcurrent: config.SUBGRAPH_LIMITS[name]?.maxConcurrent ?? config.SUBGRAPH_MAX_CONCURRENT,
          maxResponseBytes: config.SUBGRAPH_MAX_RESPONSE_BYTES,
          acceptEncoding: config.SUBGRAPH_ACCEPT_ENCODING,
        },
      }),
  };
}

/** Tells whether an error says that the subgraph is unwell: not that nobody is registered, nor that we ask too much. */
function isSubgraphFailure(error: unknown): boolean {
  if (!(error instanceof PorticoError)) return true;
  if (error.code === 'SUBGRAPH_UNAVAILABLE') return error.cause !== undefined;
  return error.code === 'SUBGRAPH_ERROR' || error.code === 'SUBGRAPH_TIMEOUT';
}

/** Tells whether a fetch ended before anybody knew how the subgraph is. */
function saysNothing(error: unknown): boolean {
  return (
    error instanceof AbandonedError || (error instanceof PorticoError && error.code === 'SUBGRAPH_OVERLOADED')
  );
}

function createObserver({ metrics }: Pick<ProcessContext, 'metrics'>) {
  const registers = [metrics];
  const duration = new Histogram({
    name: 'gateway_subgraph_fetch_duration_seconds',
    help: 'Time until subgraphs answered fetches, by outcome: ok, error (GraphQL errors), or an error code.',
    labelNames: ['subgraph', 'outcome'],
    buckets: latencyBucketsSeconds,
    registers,
  });
  const retries = new Counter({
    name: 'gateway_subgraph_retries_total',
    help: 'Fetches that were tried again on another instance.',
    labelNames: ['subgraph'],
    registers,
  });
  const ejections = new Counter({
    name: 'gateway_subgraph_ejections_total',
    help: 'Times that an instance was taken out of use for its failures.',
    labelNames: ['subgraph'],
    registers,
  });
  const joined = new Counter({
    name: 'gateway_subgraph_fetches_deduplicated_total',
    help: 'Fetches that got the answer of an equal one that was under way.',
    labelNames: ['subgraph'],
    registers,
  });
  const good = new Map<string, Histogram.Internal<string>>();
  return {
    fetched(subgraph: string, outcome: string, seconds: number) {
      if (outcome !== 'ok') return duration.observe({ subgraph, outcome }, seconds);
      const known = good.get(subgraph) ?? duration.labels(subgraph, outcome);
      good.set(subgraph, known);
      known.observe(seconds);
    },
    joined: (subgraph: string) => joined.inc({ subgraph }),
    count: (event: 'retry' | 'ejection', subgraph: string) =>
      (event === 'retry' ? retries : ejections).inc({ subgraph }),
  };
}
