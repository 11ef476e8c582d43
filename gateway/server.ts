import type { LookupFunction } from 'node:net';
import type { Ports, ProcessContext } from '../platform/process.ts';
import type { RegistryView } from '../platform/registry/follower.ts';
import { metadataKeys } from '../platform/registry/instance.ts';
import { joinRegistry } from '../platform/registry/join-registry.ts';
import { registerProcess } from '../platform/registry/register-process.ts';
import { type GatewayConfig, isShown } from './config.ts';
import { createClientErrorFormatter } from './errors.ts';
import { serveExplorers } from './explorers/explorers.ts';
import { serveGraphQL } from './graphql-route.ts';
import { headerRulesOf } from './header-rules.ts';
import { createListener } from './listener/listener.ts';
import { createApollo, type StartedApollo } from './operations/apollo-server.ts';
import { createKnownOperations } from './operations/known-operations.ts';
import { createOperationRunner } from './operations/operation-runner.ts';
import { limitRequests } from './overload.ts';
import { createPlanAccess } from './plan-report.ts';
import { createRouting, type Routing } from './routing/routing.ts';
import { createProtection, type Protection } from './security/protection.ts';
import { startLiveOperations } from './subscriptions/start.ts';
import { createHttpStreams } from './subscriptions/transports/http-streams.ts';
import { serveWebSockets } from './subscriptions/transports/websocket.ts';
import { createComposer } from './supergraph/composition/composer.ts';
import { describeSupergraph } from './supergraph/describe.ts';
import { type HotOperations, rememberHotOperations } from './supergraph/graph/hot-operations.ts';
import { openLaunchHistory } from './supergraph/launches/launch-history.ts';
import { createLauncher } from './supergraph/launches/launcher.ts';
import { serveSupergraph } from './supergraph/management.ts';
import { observeSupergraph } from './supergraph/metrics.ts';
import { type LaunchPolicy, openLaunchPolicy } from './supergraph/policy/launch-policy.ts';
import { createSdlReader } from './supergraph/sdl/sdl-reader.ts';
import { ServedGraph } from './supergraph/served-graph.ts';
import { followSupergraph } from './supergraph/supergraph.ts';

type Context = ProcessContext<GatewayConfig>;

/** Starts the gateway: the one address that clients need. It listens at once, and answers 503 until it has a graph. */
export async function startGateway(context: Context): Promise<Ports> {
  const { config, log, metrics, scope, health } = context;
  const policy = scope.use(
    'launch policy',
    await openLaunchPolicy({ file: config.LAUNCH_POLICY_FILE, folder: config.GATEWAY_DATA_DIR, log }),
  );
  const { registry: all, lookup } = joinRegistry(context);
  const registry = policy.restrict(all);
  const hotOperations = rememberHotOperations();
  const formatError = createClientErrorFormatter(log, { showsSchema: isShown(config.INTROSPECTION, config) });
  const known = createKnownOperations(config.QUERY_PLAN_CACHE_SIZE);
  const protection = await createProtection(context);
  const apollo = createApollo({ hotOperations, known, formatError, protection, log });
  const { served, routing } = await startSupergraph(context, {
    registry,
    lookup,
    policy,
    hotOperations,
    apollo,
    protection,
  });
  // It stops after the HTTP server, which is started later, has answered what is under way.
  scope.defer('Apollo Server', () => apollo.current?.stop());

  const listener = await createListener(context);
  const { app } = listener;
  const limit = limitRequests(config.GATEWAY_MAX_CONCURRENT_REQUESTS, health, metrics);
  if (isShown(config.EXPLORERS, config)) await serveExplorers(app, config);

  health.add('supergraph', () => {
    const { subgraphs, awaitingApproval, ...details } = describeSupergraph(served, registry);
    const status = apollo.current ? 'UP' : 'OUT_OF_SERVICE';
    return {
      status,
      details: {
        ...details,
        awaitingApproval: awaitingApproval.map(({ subgraph, hash }) => `${subgraph}@${hash}`),
        subgraphs: subgraphs.map(({ name, hash }) => `${name}@${hash}`),
      },
    };
  });
  const live = startLiveOperations(context, {
    served,
    routing,
    lookup,
    limit,
    protection,
    apollo: () => apollo.current,
    formatError,
  });
  const rules = headerRulesOf(config);
  const runner = createOperationRunner({
    known,
    hotOperations,
    formatError,
    rules,
    deduplicates: !config.DEDUPLICATION_EXCLUDED_SUBGRAPHS.includes('*'),
    metrics,
  });
  routing.onMutated(() => runner.forget());
  served.onGraph(() => runner.forget());
  serveGraphQL(app, {
    ...protection,
    apollo: () => apollo.current,
    limit,
    streams: createHttpStreams(live),
    operations: live.operations,
    formatError,
    runner,
    rules,
    mayShowPlan: createPlanAccess(config.QUERY_PLAN_SECRET),
  });
  const { port: managementPort } = await context.listenForManagement();
  const server = await listener.listen();
  scope.use('WebSockets', serveWebSockets({ ...protection, ...live, server: app.server }));
  // Both take their time at the end, and neither waits for the other.
  scope.defer('connections', async () => {
    await Promise.all([live.connections.close(), listener.farewell.close()]);
  });
  registerProcess(context, {
    port: server.port,
    isSecure: listener.isSecure,
    managementPort,
    graceMs: 0,
    metadata: { [metadataKeys.subgraph]: '' },
  });
  return { http: server.port, management: managementPort };
}

interface SupergraphParts {
  readonly registry: RegistryView;
  readonly lookup: LookupFunction;
  readonly policy: LaunchPolicy;
  readonly hotOperations: HotOperations;
  readonly apollo: StartedApollo;
  readonly protection: Protection;
}

async function startSupergraph(
  context: Context,
  {
    registry,
    lookup,
    policy,
    hotOperations,
    apollo,
    protection: { authorization, costs, limits },
  }: SupergraphParts,
): Promise<{ served: ServedGraph; routing: Routing }> {
  const { config, log, metrics, scope, management } = context;
  const composer = scope.use('composer', createComposer());
  const history = await openLaunchHistory(config.GATEWAY_DATA_DIR, log);
  const sdls = createSdlReader({
    pollIntervalMs: config.SDL_POLL_INTERVAL_MS,
    servedSdlOf: history.servedSdlOf,
    lookup,
  });
  const served = new ServedGraph({
    versionOf: sdls.versionOf,
    beforeFirst: graph => apollo.start(graph, served),
    log,
  });
  const routing = createRouting(context, { registry, served, lookup });
  const launcher = createLauncher({
    composer,
    history,
    hotOperations,
    graph: {
      clientOf: routing.clientOf,
      maxPlans: config.QUERY_PLAN_CACHE_SIZE,
      authorization,
      costs,
      limits,
    },
    log,
  });
  const operator = scope.use(
    'supergraph',
    followSupergraph({
      registry,
      sdls,
      served,
      launcher,
      history,
      removalGraceMs: config.SUBGRAPH_REMOVAL_GRACE_MS,
      sdlPollIntervalMs: config.SDL_POLL_INTERVAL_MS,
      policy,
      log,
    }),
  );
  serveSupergraph({ management, served, operator, registry, history });
  observeSupergraph(metrics, served, history);
  return { served, routing };
}
