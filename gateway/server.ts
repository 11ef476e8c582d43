import type { LookupFunction } from 'node:net';
import { ApolloServer } from '@apollo/server';
import {
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled';
import { createCallerTokens } from '../platform/caller.ts';
import type { Ports, ProcessContext } from '../platform/process.ts';
import { createEurekaClient } from '../platform/registry/eureka-client.ts';
import { followRegistry, type RegistryView } from '../platform/registry/follower.ts';
import { createInstanceHosts } from '../platform/registry/host.ts';
import { metadataKeys } from '../platform/registry/instance.ts';
import { createInstanceLookup } from '../platform/registry/instance-connections.ts';
import { registerProcess } from '../platform/registry/register-process.ts';
import { type Authorization, createAuthorization } from './authorization/authorization.ts';
import { openPolicies } from './authorization/open-policies.ts';
import { type GatewayConfig, isShown } from './config.ts';
import { createClientErrorFormatter } from './errors.ts';
import { serveExplorers } from './explorers/explorers.ts';
import { serveGraphQL } from './graphql-route.ts';
import { headerRulesOf } from './header-rules.ts';
import { createListener } from './listener/listener.ts';
import type { Apollo, OperationContext } from './operation-context.ts';
import { createKnownOperations, type KnownOperations } from './operations/known-operations.ts';
import { createOperationRunner } from './operations/operation-runner.ts';
import { limitRequests } from './overload.ts';
import { createPlanAccess } from './plan-report.ts';
import { createRouting, type Routing } from './routing/routing.ts';
import { createAuthenticator } from './security/authenticate.ts';
import { createCredentials } from './security/credentials.ts';
import { followDenyList } from './security/deny-list.ts';
import { createProtection, type Protection } from './security/protection.ts';
import { checkFirst } from './security/rules-first.ts';
import { createLiveOperations } from './subscriptions/live-operations.ts';
import { createLiveMetrics } from './subscriptions/metrics.ts';
import { maxDocumentTokens } from './subscriptions/operation.ts';
import { createConnections } from './subscriptions/transports/connections.ts';
import { createHttpStreams } from './subscriptions/transports/http-streams.ts';
import { serveWebSockets } from './subscriptions/transports/websocket.ts';
import { createUpstreams } from './subscriptions/upstream/upstreams.ts';
import { createComposer } from './supergraph/composition/composer.ts';
import { describeSupergraph } from './supergraph/describe.ts';
import { createSwappingGateway } from './supergraph/graph/apollo-gateway.ts';
import type { Graph } from './supergraph/graph/graph.ts';
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
type FormatError = ReturnType<typeof createClientErrorFormatter>;

/** Starts the gateway: the one address that clients need. It listens at once, and answers 503 until it has a graph. */
export async function startGateway(context: Context): Promise<Ports> {
  const { config, log, metrics, scope, health } = context;
  const hosts = createInstanceHosts(config);
  const lookup = createInstanceLookup(hosts);
  const eureka = createEurekaClient({ urls: config.EUREKA_URL, token: config.DISCOVERY_TOKEN, hosts });
  const policy = scope.use(
    'launch policy',
    await openLaunchPolicy({ file: config.LAUNCH_POLICY_FILE, folder: config.GATEWAY_DATA_DIR, log }),
  );
  const registry = policy.restrict(scope.use('registry follower', followRegistry({ client: eureka, log })));
  const hotOperations = rememberHotOperations();
  const formatError = createClientErrorFormatter(log, { showsSchema: isShown(config.INTROSPECTION, config) });
  const known = createKnownOperations(config.QUERY_PLAN_CACHE_SIZE);
  const protection = await createProtection(context);
  const policies = await openPolicies(config, log);
  const authorization = createAuthorization({ policies, rejects: config.AUTHORIZATION_REJECTS });
  const apollo = createApollo({ hotOperations, known, formatError, protection, log });
  const { served, routing } = await startSupergraph(context, {
    registry,
    lookup,
    policy,
    hotOperations,
    apollo,
    protection,
    authorization,
  });
  // It stops after the HTTP server, which is started later, has answered what is under way.
  scope.defer('Apollo Server', () => apollo.current?.stop());

  const listener = await createListener(context);
  const { app } = listener;
  const denyList = followDenyList(config, log);
  if (denyList) scope.use('list of denied tokens', denyList);
  const callerTokens = createCallerTokens(config.CALLER_SECRET);
  const authenticator = await createAuthenticator(config, callerTokens, denyList);
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
  const upstreams = scope.use(
    'upstream subscriptions',
    createUpstreams({ instances: routing.instances, show: routing.show, lookup, log }),
  );
  const liveMetrics = createLiveMetrics(metrics, () => upstreams.count());
  const operations = scope.use(
    'live operations',
    createLiveOperations({
      served,
      upstreams,
      apollo: () => apollo.current,
      limit,
      rules: protection.validationRules,
      costs: protection.costs,
      limits: protection.limits,
      time: protection.time,
      config,
      metrics: liveMetrics,
      formatError,
      log,
    }),
  );
  const connections = createConnections({
    maxConnections: config.LIVE_MAX_CONNECTIONS,
    maxConnectionsPerAddress: config.LIVE_MAX_CONNECTIONS_PER_ADDRESS,
    drainMs: config.LIVE_DRAIN_MS,
    metrics: liveMetrics,
  });
  const live = { operations, connections, formatError, config, metrics: liveMetrics, log };
  const rules = headerRulesOf(config);
  const credentials = createCredentials(config);
  const { rateLimit, persisted } = protection;
  serveGraphQL(app, {
    apollo: () => apollo.current,
    authenticator,
    credentials,
    authorization,
    limit,
    rateLimit,
    persisted,
    streams: createHttpStreams(live),
    operations,
    formatError,
    runner: createOperationRunner({
      known,
      hotOperations,
      formatError,
      rules,
      deduplicates: !config.DEDUPLICATION_EXCLUDED_SUBGRAPHS.includes('*'),
      metrics,
    }),
    rules,
    time: protection.time,
    mayShowPlan: createPlanAccess(config.QUERY_PLAN_SECRET),
  });
  const { port: managementPort } = await context.listenForManagement();
  const server = await listener.listen();
  scope.use(
    'WebSockets',
    serveWebSockets({
      ...live,
      server: app.server,
      authenticator,
      credentials,
      authorization,
      rateLimit,
      persisted,
    }),
  );
  scope.use('live connections', connections);
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
  readonly authorization: Authorization;
}

async function startSupergraph(
  context: Context,
  {
    registry,
    lookup,
    policy,
    hotOperations,
    apollo,
    authorization,
    protection: { costs, limits },
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

interface ApolloOptions {
  readonly hotOperations: HotOperations;
  readonly known: KnownOperations;
  readonly formatError: FormatError;
  readonly protection: Protection;
  readonly log: Context['log'];
}

/** Apollo Server, which needs a graph to start. */
interface StartedApollo {
  /** Undefined until it has started. */
  readonly current: Apollo | undefined;
  /** Starts it with the first graph; it follows the served graph from then on. */
  start(first: Graph, served: ServedGraph): Promise<void>;
}

function createApollo({
  hotOperations,
  known,
  formatError,
  protection: { validationRules, sharedQueries },
  log,
}: ApolloOptions): StartedApollo {
  let current: Apollo | undefined;
  const ownRules = checkFirst(validationRules);
  return {
    get current() {
      return current;
    },
    async start(first, served) {
      const onGraph: ServedGraph['onGraph'] = listener => {
        listener(first);
        return served.onGraph(graph => {
          if (graph !== first) listener(graph);
        });
      };
      const apollo: Apollo = new ApolloServer<OperationContext>({
        gateway: createSwappingGateway(
          { onGraph },
          {
            onServed: graph => known.serve(graph),
            onOperation(source, operation, graph) {
              hotOperations.see(operation);
              known.add(source, operation, graph);
            },
          },
        ),
        formatError,
        // A rule of ours refuses it where it is to be.
        introspection: true,
        parseOptions: { maxTokens: maxDocumentTokens },
        validationRules: [ownRules.rule],
        ...(sharedQueries ? { persistedQueries: { cache: sharedQueries } } : {}),
        includeStacktraceInErrorResponses: false,
        stopOnTerminationSignals: false,
        logger: log,
        plugins: [
          ownRules.plugin,
          ApolloServerPluginLandingPageDisabled(),
          ApolloServerPluginUsageReportingDisabled(),
        ],
      });
      await apollo.start();
      current = apollo;
    },
  };
}
