import { ApolloServer } from '@apollo/server';
import {
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled';
import { NoSchemaIntrospectionCustomRule, type ValidationRule } from 'graphql';
import { createCallerTokens } from '../platform/caller.ts';
import type { Ports, ProcessContext } from '../platform/process.ts';
import { createEurekaClient } from '../platform/registry/eureka-client.ts';
import { followRegistry, type RegistryView } from '../platform/registry/follower.ts';
import { metadataKeys } from '../platform/registry/instance.ts';
import { registerProcess } from '../platform/registry/register-process.ts';
import { createAuthorization } from './authorization/authorization.ts';
import { readPolicyRules } from './authorization/policies.ts';
import type { GatewayConfig } from './config.ts';
import { createCostLimits } from './cost/cost-limit.ts';
import { createClientErrorFormatter } from './errors.ts';
import { serveExplorers } from './explorers/explorers.ts';
import { serveGraphQL } from './graphql-route.ts';
import { headerRulesOf } from './header-rules.ts';
import { deferRule } from './incremental/rules.ts';
import { createListener } from './listener/listener.ts';
import type { Apollo, OperationContext } from './operation-context.ts';
import { createKnownOperations, type KnownOperations } from './operations/known-operations.ts';
import { createOperationRunner } from './operations/operation-runner.ts';
import { limitRequests } from './overload.ts';
import { createPlanAccess } from './plan-report.ts';
import { createRouting, type Routing } from './routing/routing.ts';
import { createAuthenticator } from './security/authenticate.ts';
import { createCredentials } from './security/credentials.ts';
import { limitOperations } from './security/operation-limits.ts';
import { openPersistedOperations } from './security/persisted-operations.ts';
import { createRateLimit } from './security/rate-limit.ts';
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
import { createSdlReader } from './supergraph/sdl/sdl-reader.ts';
import { ServedGraph } from './supergraph/served-graph.ts';
import { followSupergraph } from './supergraph/supergraph.ts';

type Context = ProcessContext<GatewayConfig>;
type FormatError = ReturnType<typeof createClientErrorFormatter>;

/** Starts the gateway: the one address that clients need. It listens at once, and answers 503 until it has a graph. */
export async function startGateway(context: Context): Promise<Ports> {
  const { config, log, metrics, scope, health } = context;
  const eureka = createEurekaClient({ urls: config.EUREKA_URL, token: config.DISCOVERY_TOKEN });
  const registry = scope.use('registry follower', followRegistry({ client: eureka, log }));
  const hotOperations = rememberHotOperations();
  const formatError = createClientErrorFormatter(log, { showsSchema: config.INTROSPECTION });
  const known = createKnownOperations(config.QUERY_PLAN_CACHE_SIZE);
  const validationRules = [
    limitOperations(config, metrics),
    deferRule,
    ...(config.INTROSPECTION ? [] : [NoSchemaIntrospectionCustomRule]),
  ];
  const apollo = createApollo({ hotOperations, known, formatError, validationRules, log });
  const { served, routing } = await startSupergraph(context, { registry, hotOperations, apollo });
  // It stops after the HTTP server, which is started later, has answered what is under way.
  scope.defer('Apollo Server', () => apollo.current?.stop());

  const listener = await createListener(context);
  const { app } = listener;
  const authenticator = await createAuthenticator(config, createCallerTokens(config.CALLER_SECRET));
  const limit = limitRequests(config.GATEWAY_MAX_CONCURRENT_REQUESTS, health, metrics);
  if (config.EXPLORERS) await serveExplorers(app, config);

  health.add('supergraph', () => {
    const { subgraphs, ...details } = describeSupergraph(served, registry);
    const status = apollo.current ? 'UP' : 'OUT_OF_SERVICE';
    return {
      status,
      details: { ...details, subgraphs: subgraphs.map(({ name, hash }) => `${name}@${hash}`) },
    };
  });
  const upstreams = scope.use(
    'upstream subscriptions',
    createUpstreams({ instances: routing.instances, show: routing.show, log }),
  );
  const liveMetrics = createLiveMetrics(metrics, () => upstreams.count());
  const operations = scope.use(
    'live operations',
    createLiveOperations({
      served,
      upstreams,
      apollo: () => apollo.current,
      limit,
      rules: validationRules,
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
  const { rateLimit, persisted } = await createProtection(context);
  serveGraphQL(app, {
    apollo: () => apollo.current,
    authenticator,
    credentials,
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
    mayShowPlan: createPlanAccess(config.QUERY_PLAN_SECRET),
  });
  const { port: managementPort } = await context.listenForManagement();
  const server = await listener.listen();
  scope.use(
    'WebSockets',
    serveWebSockets({ ...live, server: app.server, authenticator, credentials, rateLimit, persisted }),
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

/** Creates what bounds and checks the operations of clients before they are read. */
async function createProtection({ config, metrics, log }: Context) {
  const file = config.PERSISTED_OPERATIONS_FILE;
  const mode = config.PERSISTED_OPERATIONS_MODE;
  return {
    rateLimit: createRateLimit(config, metrics),
    persisted: await openPersistedOperations({ file, mode, metrics, log }),
  };
}

interface SupergraphParts {
  readonly registry: RegistryView;
  readonly hotOperations: HotOperations;
  readonly apollo: StartedApollo;
}

async function startSupergraph(
  context: Context,
  { registry, hotOperations, apollo }: SupergraphParts,
): Promise<{ served: ServedGraph; routing: Routing }> {
  const { config, log, metrics, scope, management } = context;
  const composer = scope.use('composer', createComposer());
  const policiesFile = config.AUTHORIZATION_POLICIES_FILE;
  const authorization = createAuthorization({
    policies: policiesFile ? await readPolicyRules(policiesFile) : {},
    rejects: config.AUTHORIZATION_REJECTS,
  });
  const history = await openLaunchHistory(config.GATEWAY_DATA_DIR, log);
  const sdls = createSdlReader({
    pollIntervalMs: config.SDL_POLL_INTERVAL_MS,
    servedSdlOf: history.servedSdlOf,
  });
  const served = new ServedGraph({
    versionOf: sdls.versionOf,
    beforeFirst: graph => apollo.start(graph, served),
    log,
  });
  const routing = createRouting(context, registry, served);
  const launcher = createLauncher({
    composer,
    history,
    hotOperations,
    clientOf: routing.clientOf,
    maxPlans: config.QUERY_PLAN_CACHE_SIZE,
    authorization,
    createCostLimit: createCostLimits({
      maxCost: config.OPERATION_MAX_COST,
      defaultListSize: config.OPERATION_DEFAULT_LIST_SIZE,
      measuresOnly: config.OPERATION_COST_MEASURE_ONLY,
      metrics,
    }),
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
  readonly validationRules: ValidationRule[];
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
  validationRules,
  log,
}: ApolloOptions): StartedApollo {
  let current: Apollo | undefined;
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
        validationRules,
        includeStacktraceInErrorResponses: false,
        stopOnTerminationSignals: false,
        logger: log,
        plugins: [ApolloServerPluginLandingPageDisabled(), ApolloServerPluginUsageReportingDisabled()],
      });
      await apollo.start();
      current = apollo;
    },
  };
}
