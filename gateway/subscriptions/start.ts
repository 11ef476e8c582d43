import type { LookupFunction } from 'node:net';
import type { ProcessContext } from '../../platform/process.ts';
import type { GatewayConfig } from '../config.ts';
import type { FormatError } from '../format.ts';
import type { Apollo } from '../operation-context.ts';
import type { RequestLimit } from '../overload.ts';
import type { Routing } from '../routing/routing.ts';
import type { Protection } from '../security/protection.ts';
import type { ServedGraph } from '../supergraph/served-graph.ts';
import { createLiveOperations } from './live-operations.ts';
import { createLiveMetrics } from './metrics.ts';
import { createConnections } from './transports/connections.ts';
import { createUpstreams } from './upstream/upstreams.ts';

interface LiveParts {
  readonly served: ServedGraph;
  readonly routing: Routing;
  readonly lookup: LookupFunction;
  readonly limit: RequestLimit;
  readonly protection: Protection;
  /** Undefined until there is a graph. */
  readonly apollo: () => Apollo | undefined;
  readonly formatError: FormatError;
}

/** Starts live operations, with what their transports need. The connections are closed by the caller, after the server. */
export function startLiveOperations(context: ProcessContext<GatewayConfig>, parts: LiveParts) {
  const { config, log, metrics: registry, scope } = context;
  const { served, routing, lookup, limit, protection, apollo, formatError } = parts;
  const upstreams = scope.use(
    'upstream subscriptions',
    createUpstreams({ instances: routing.instances, show: routing.show, lookup, log }),
  );
  const metrics = createLiveMetrics(registry, () => upstreams.count());
  const operations = scope.use(
    'live operations',
    createLiveOperations({
      served,
      upstreams,
      apollo,
      limit,
      rules: protection.validationRules,
      costs: protection.costs,
      limits: protection.limits,
      time: protection.time,
      config,
      metrics,
      formatError,
      log,
    }),
  );
  const connections = createConnections({
    maxConnections: config.LIVE_MAX_CONNECTIONS,
    maxConnectionsPerAddress: config.LIVE_MAX_CONNECTIONS_PER_ADDRESS,
    maxConnectionsPerCaller: config.LIVE_MAX_CONNECTIONS_PER_CALLER,
    drainMs: config.LIVE_DRAIN_MS,
    metrics,
  });
  return { operations, connections, formatError, config, metrics, log };
}
