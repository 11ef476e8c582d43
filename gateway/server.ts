import { ApolloServer } from '@apollo/server';
import { ApolloServerPluginLandingPageDisabled } from '@apollo/server/plugin/disabled';
import cors from '@fastify/cors';
import { createCallerTokens } from '../platform/caller.ts';
import { createHttpServer, listen } from '../platform/http.ts';
import type { Ports, ProcessContext } from '../platform/process.ts';
import { createEurekaClient } from '../platform/registry/eureka-client.ts';
import { followRegistry, type RegistryView } from '../platform/registry/follower.ts';
import { metadataKeys } from '../platform/registry/instance.ts';
import { registerProcess } from '../platform/registry/register-process.ts';
import type { GatewayConfig } from './config.ts';
import { createErrorFormatter } from './errors.ts';
import { serveExplorers } from './explorers/explorers.ts';
import { type Apollo, serveGraphQL } from './graphql-route.ts';
import type { OperationContext } from './operation-context.ts';
import { limitRequests } from './overload.ts';
import { createRouting, type Routing } from './routing/routing.ts';
import { createAuthenticator } from './security/authenticate.ts';
import { createConnections } from './subscriptions/connections.ts';
import { createHttpStreams } from './subscriptions/http-streams.ts';
import { createLiveOperations } from './subscriptions/live-operations.ts';
import { createLiveMetrics } from './subscriptions/metrics.ts';
import { maxDocumentTokens } from './subscriptions/operation.ts';
import { createUpstreams } from './subscriptions/upstream.ts';
import { serveWebSockets } from './subscriptions/websocket.ts';
import { createSwappingGateway } from './supergraph/apollo-gateway.ts';
import { createComposer } from './supergraph/composer.ts';
import { describeSupergraph } from './supergraph/describe.ts';
import { type HotOperations, rememberHotOperations } from './supergraph/hot-operations.ts';
import { openLaunchHistory } from './supergraph/launch-history.ts';
import { createLauncher } from './supergraph/launcher.ts';
import { serveSupergraph } from './supergraph/management.ts';
import { observeSupergraph } from './supergraph/metrics.ts';
import { followSupergraph, type Supergraph } from './supergraph/supergraph.ts';

type Context = ProcessContext<GatewayConfig>;
type FormatError = ReturnType<typeof createErrorFormatter>;

/** Starts the gateway: the one address that clients need. It listens at once, and answers 503 until it has a graph. */
export async function startGateway(context: Context): Promise<Ports> {
  const { config, log, metrics, scope, health } = context;
  const eureka = createEurekaClient({ urls: config.EUREKA_URL, token: config.DISCOVERY_TOKEN });
  const registry = scope.use('registry follower', followRegistry({ client: eureka, log }));
  const hotOperations = rememberHotOperations();
  const { supergraph, routing } = await startSupergraph(context, registry, hotOperations);

  const app = createHttpServer({ log, metrics });
  const formatError = createErrorFormatter(log);
  const authenticator = await createAuthenticator(config, createCallerTokens(config.CALLER_SECRET));
  const limit = limitRequests(config.GATEWAY_MAX_CONCURRENT_REQUESTS, health, metrics);
  if (config.CORS_ORIGINS.length > 0)
    await app.register(cors, { origin: config.CORS_ORIGINS.includes('*') ? true : config.CORS_ORIGINS });
  if (config.EXPLORERS) await serveExplorers(app, config);

  const apollo = startApolloWithFirstGraph(context, { supergraph, hotOperations, formatError });
  health.add('supergraph', () => {
    const { subgraphs, ...details } = describeSupergraph(supergraph, registry);
    const status = apollo.current ? 'UP' : 'OUT_OF_SERVICE';
    return {
      status,
      details: { ...details, subgraphs: subgraphs.map(({ name, hash }) => `${name}@${hash}`) },
    };
  });
  const upstreams = scope.use(
    'upstream subscriptions',
    createUpstreams({ instances: routing.instances, log }),
  );
  const liveMetrics = createLiveMetrics(metrics, () => upstreams.count());
  const operations = scope.use(
    'live operations',
    createLiveOperations({
      supergraph,
      upstreams,
      apollo: () => apollo.current,
      limit,
      config,
      metrics: liveMetrics,
      log,
    }),
  );
  const connections = createConnections({
    maxConnections: config.LIVE_MAX_CONNECTIONS,
    drainMs: config.LIVE_DRAIN_MS,
    metrics: liveMetrics,
  });
  const live = { operations, connections, formatError, config, metrics: liveMetrics, log };
  serveGraphQL(app, {
    apollo: () => apollo.current,
    authenticator,
    limit,
    streams: createHttpStreams(live),
    config,
  });
  const { port: managementPort } = await context.listenForManagement();
  const server = scope.use(
    'HTTP server',
    await listen(app, { host: config.HOST, port: config.GATEWAY_PORT }),
  );
  scope.use('WebSockets', serveWebSockets({ ...live, server: app.server, authenticator }));
  scope.use('live connections', connections);
  registerProcess(context, {
    port: server.port,
    managementPort,
    graceMs: 0,
    metadata: { [metadataKeys.subgraph]: '' },
  });
  return { http: server.port, management: managementPort };
}

async function startSupergraph(
  context: Context,
  registry: RegistryView,
  hotOperations: HotOperations,
): Promise<{ supergraph: Supergraph; routing: Routing }> {
  const { config, log, metrics, scope, management } = context;
  const composer = scope.use('composer', createComposer());
  const history = await openLaunchHistory(config.GATEWAY_DATA_DIR, log);
  const routing = createRouting(context, registry, () => supergraph);
  const launcher = createLauncher({
    composer,
    history,
    hotOperations,
    clientOf: routing.clientOf,
    maxPlans: config.QUERY_PLAN_CACHE_SIZE,
    log,
  });
  const supergraph: Supergraph = scope.use(
    'supergraph',
    followSupergraph({
      registry,
      launcher,
      history,
      removalGraceMs: config.SUBGRAPH_REMOVAL_GRACE_MS,
      sdlPollIntervalMs: config.SDL_POLL_INTERVAL_MS,
      log,
    }),
  );
  serveSupergraph({ management, supergraph, registry, history });
  observeSupergraph(metrics, supergraph, history);
  return { supergraph, routing };
}

interface ApolloOptions {
  readonly supergraph: Supergraph;
  readonly hotOperations: HotOperations;
  readonly formatError: FormatError;
}

/** Starts Apollo Server when there is a graph to serve; it follows the graph from then on. */
function startApolloWithFirstGraph(
  { scope, log }: Context,
  { supergraph, hotOperations, formatError }: ApolloOptions,
): { readonly current: Apollo | undefined } {
  const started: { current: Apollo | undefined } = { current: undefined };
  // It stops after the HTTP server, which is started later, has answered what is under way.
  scope.defer('Apollo Server', () => started.current?.stop());
  const start = async () => {
    await supergraph.firstGraph;
    const apollo: Apollo = new ApolloServer<OperationContext>({
      gateway: createSwappingGateway(supergraph, hotOperations),
      formatError,
      introspection: true,
      parseOptions: { maxTokens: maxDocumentTokens },
      includeStacktraceInErrorResponses: false,
      stopOnTerminationSignals: false,
      logger: log,
      plugins: [ApolloServerPluginLandingPageDisabled()],
    });
    await apollo.start();
    started.current = apollo;
  };
  start().catch(error => log.error({ err: error }, 'Apollo Server failed to start'));
  return started;
}
