import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { latencyBucketsSeconds } from '../../platform/metrics.ts';

/** Transport of a client's live operations. */
export type Transport = 'websocket' | 'sse' | 'multipart';

/** Counts what live operations do. */
export interface LiveMetrics {
  connected(transport: Transport): void;
  disconnected(transport: Transport): void;
  /** A connection was not taken, because there were too many. */
  refused(transport: Transport): void;
  planned(subgraph: string): void;
  operationBegan(transport: Transport): void;
  operationEnded(transport: Transport): void;
  resultSent(transport: Transport): void;
  eventReceived(subgraph: string): void;
  eventCompleted(subgraph: string, seconds: number): void;
  resumed(subgraph: string): void;
  abandoned(subgraph: string): void;
  replayed(): void;
  slowClient(): void;
}

/** Registers the metrics of live operations. `upstreams` counts the subgraphs' subscriptions when it is asked. */
export function createLiveMetrics(
  metrics: Registry,
  upstreams: () => ReadonlyMap<string, number>,
): LiveMetrics {
  const registers = [metrics];
  const connections = new Gauge({
    name: 'gateway_live_connections',
    help: 'Connections of clients that can carry live operations.',
    labelNames: ['transport'],
    registers,
  });
  const refused = new Counter({
    name: 'gateway_live_connections_refused_total',
    help: 'Connections that were refused because there were too many, of their address or of all.',
    labelNames: ['transport'],
    registers,
  });
  const operations = new Gauge({
    name: 'gateway_live_operations',
    help: 'Subscriptions that clients have open.',
    labelNames: ['transport'],
    registers,
  });
  const plans = new Counter({
    name: 'gateway_live_plans_total',
    help: 'Subscriptions that were planned: each document once for a graph.',
    labelNames: ['subgraph'],
    registers,
  });
  const results = new Counter({
    name: 'gateway_live_results_total',
    help: 'Results of subscriptions that were sent to clients.',
    labelNames: ['transport'],
    registers,
  });
  const events = new Counter({
    name: 'gateway_live_events_total',
    help: 'Events that came from subgraphs.',
    labelNames: ['subgraph'],
    registers,
  });
  const duration = new Histogram({
    name: 'gateway_live_event_duration_seconds',
    help: "Time from an event's arrival until its fields of other subgraphs are there.",
    labelNames: ['subgraph'],
    buckets: latencyBucketsSeconds,
    registers,
  });
  const resumes = new Counter({
    name: 'gateway_live_upstream_resumes_total',
    help: 'Times that a subscription of a subgraph was lost and taken up again.',
    labelNames: ['subgraph'],
    registers,
  });
  const abandoned = new Counter({
    name: 'gateway_live_upstream_abandoned_total',
    help: 'Times that a subscription of a subgraph was lost and ended with an error.',
    labelNames: ['subgraph'],
    registers,
  });
  const replays = new Counter({
    name: 'gateway_live_replays_total',
    help: 'Subscriptions that began after a cursor.',
    registers,
  });
  const slow = new Counter({
    name: 'gateway_live_slow_clients_total',
    help: 'Subscriptions that were ended because their client read too slowly.',
    registers,
  });
  new Gauge({
    name: 'gateway_live_upstreams',
    help: 'Subscriptions of subgraphs that the gateway has open.',
    labelNames: ['subgraph'],
    registers,
    collect() {
      this.reset();
      for (const [subgraph, count] of upstreams()) this.set({ subgraph }, count);
    },
  });
  return {
    connected: transport => connections.inc({ transport }),
    disconnected: transport => connections.dec({ transport }),
    refused: transport => refused.inc({ transport }),
    planned: subgraph => plans.inc({ subgraph }),
    operationBegan: transport => operations.inc({ transport }),
    operationEnded: transport => operations.dec({ transport }),
    resultSent: transport => results.inc({ transport }),
    eventReceived: subgraph => events.inc({ subgraph }),
    eventCompleted: (subgraph, seconds) => duration.observe({ subgraph }, seconds),
    resumed: subgraph => resumes.inc({ subgraph }),
    abandoned: subgraph => abandoned.inc({ subgraph }),
    replayed: () => replays.inc(),
    slowClient: () => slow.inc(),
  };
}
