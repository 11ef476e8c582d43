import { Registry } from 'prom-client';
import { onTestFinished } from 'vitest';
import { HealthRegistry } from '../../platform/health.ts';
import { silentLog } from '../../platform/log.ts';
import { boundTime } from '../operation-time.ts';
import { limitRequests } from '../overload.ts';
import { countRefused } from '../security/operation-limits.ts';
import { compose } from '../supergraph/composition/compose.ts';
import { createGraph, type Graph, type SubgraphClient } from '../supergraph/graph/graph.ts';
import { federation } from '../testing/supergraph.ts';
import { createLiveOperations } from './live-operations.ts';
import { createLiveMetrics } from './metrics.ts';
import type { UpstreamSink } from './upstream/sink.ts';
import type { UpstreamSubscription } from './upstream/upstreams.ts';

/** For tests: types of the one subgraph, `prices`. */
export const priceTypes = `
  type Query { price(sku: ID!): Int }
  type Subscription { priceChanged(sku: ID!, after: String): Change! ticked: Int }
  type Change { cursor: String! amount: Int! }`;

/** For tests: composes and loads a graph of one subgraph, whose answers are empty, until the test ends. */
export function startGraph(types: string = priceTypes): Promise<Graph> {
  return startGraphOf({ prices: types }, () => Promise.resolve({ data: {} }));
}

/** For tests: composes and loads a graph, until the test ends. @param types of each subgraph */
export async function startGraphOf(
  types: Readonly<Record<string, string>>,
  client: SubgraphClient,
): Promise<Graph> {
  const subgraphs = Object.entries(types).map(([name, each]) => ({
    name,
    hash: '1',
    sdl: `${federation}${each}`,
  }));
  const outcome = compose(subgraphs);
  if (outcome.kind === 'failed') throw new Error(outcome.faults.map(({ message }) => message).join());
  const graph = await createGraph({
    supergraphSdl: outcome.supergraphSdl,
    subgraphs,
    maxPlans: 10,
    log: silentLog,
    clientOf: () => client,
  });
  onTestFinished(() => graph.close());
  return graph;
}

/** For tests: a subscription that was opened at the subgraph. */
export interface Opening {
  readonly subscription: UpstreamSubscription;
  readonly sink: UpstreamSink;
  isClosed: boolean;
}

interface TestOperations {
  /** Graph that is served at first; undefined for none. */
  readonly graph: Graph | undefined;
  /** @default 10 */
  readonly maxConcurrent?: number;
  /** @default 10 */
  readonly bufferEvents?: number;
}

/** For tests: live operations whose subgraph is in the hands of the test. */
export function startLiveOperations({ graph, maxConcurrent = 10, bufferEvents = 10 }: TestOperations) {
  const registry = new Registry();
  const openings: Opening[] = [];
  let served = graph;
  let follow = (_graph: Graph) => {};
  const metrics = createLiveMetrics(registry, () => new Map());
  const limit = limitRequests(maxConcurrent, new HealthRegistry(), registry);
  const operations = createLiveOperations({
    served: {
      get graph() {
        return served;
      },
      onGraph(listener) {
        follow = listener;
        return () => {};
      },
      versionOf: () => '1',
      isStrict: false,
    },
    upstreams: {
      count: () => new Map(),
      subscribe(subscription, sink) {
        const opening = { subscription, sink, isClosed: false };
        openings.push(opening);
        return {
          close() {
            opening.isClosed = true;
          },
        };
      },
      close: () => Promise.resolve(),
    },
    rules: [],
    time: boundTime(10_000, countRefused(registry)),
    apollo: () =>
      served && {
        executeOperation: () => Promise.resolve({ body: { kind: 'single', singleResult: { data: {} } } }),
      },
    limit,
    config: { LIVE_BUFFER_EVENTS: bufferEvents, LIVE_RESUME_TIMEOUT_MS: 1_000 },
    metrics,
    formatError: error => error,
    log: silentLog,
  } as Parameters<typeof createLiveOperations>[0]);
  onTestFinished(() => operations.close());
  return {
    operations,
    openings,
    metrics,
    limit,
    /** Serves another graph. */
    serve(next: Graph) {
      served = next;
      follow(next);
    },
  };
}
