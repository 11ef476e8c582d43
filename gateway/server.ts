import { ApolloServer } from '@apollo/server';
import { ApolloServerPluginLandingPageDisabled } from '@apollo/server/plugin/disabled';
import { fastifyApolloDrainPlugin, fastifyApolloHandler } from '@as-integrations/fastify';
import cors from '@fastify/cors';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Agent } from 'undici';
import { createCallerTokens } from '../platform/caller.ts';
import { PorticoError } from '../platform/errors.ts';
import { createHttpServer, listen } from '../platform/http.ts';
import type { Ports, ProcessContext } from '../platform/process.ts';
import { createEurekaClient } from '../platform/registry/eureka-client.ts';
import { followRegistry } from '../platform/registry/follower.ts';
import { metadataKeys } from '../platform/registry/instance.ts';
import { registerProcess } from '../platform/registry/register-process.ts';
import type { GatewayConfig } from './config.ts';
import { createErrorFormatter } from './errors.ts';
import { serveExplorers } from './explorers/explorers.ts';
import { createInstances } from './routing/instances.ts';
import { createDataSources } from './routing/subgraph-data-source.ts';
import { createAuthenticator } from './security/authenticate.ts';
import { anonymous, type OperationCaller } from './security/operation-caller.ts';
import { serveLiveOperations } from './subscriptions/server.ts';
import { createUpstreams } from './subscriptions/upstream.ts';
import { createSwappingGateway } from './supergraph/apollo-gateway.ts';
import { describeSupergraph } from './supergraph/describe.ts';
import { followSupergraph, type Supergraph } from './supergraph/supergraph.ts';

type Apollo = ApolloServer<{ caller: OperationCaller }>;

/** Starts the gateway: the one address that clients need. It listens at once, and answers 503 until it has a graph. */
export async function startGateway(context: ProcessContext<GatewayConfig>): Promise<Ports> {
  const { config, log, metrics, scope, health, management } = context;
  const eureka = createEurekaClient({ urls: config.EUREKA_URL, token: config.DISCOVERY_TOKEN });
  const registry = scope.use('registry follower', followRegistry({ client: eureka, log }));
  const agent = new Agent({
    connections: config.SUBGRAPH_CONNECTIONS,
    keepAliveTimeout: 10_000,
    connect: { timeout: 1_000 },
  });
  scope.defer('connections to subgraphs', () => agent.close());
  const instances = scope.use('instances', createInstances(registry));
  const supergraph = scope.use(
    'supergraph',
    followSupergraph({
      registry,
      dataSourceOf: createDataSources({
        instances,
        agent,
        timeoutMs: config.SUBGRAPH_TIMEOUT_MS,
        log,
        metrics,
      }),
      removalGraceMs: config.SUBGRAPH_REMOVAL_GRACE_MS,
      log,
    }),
  );
  management.get('/actuator/supergraph', (_request, reply) =>
    reply.send(describeSupergraph(supergraph.state)),
  );
  const { port: managementPort } = await context.listenForManagement();

  const app = createHttpServer({ log, metrics });
  const formatError = createErrorFormatter(log);
  const authenticator = await createAuthenticator(config, createCallerTokens(config.CALLER_SECRET));
  if (config.CORS_ORIGINS.length > 0)
    await app.register(cors, { origin: config.CORS_ORIGINS.includes('*') ? true : config.CORS_ORIGINS });
  if (config.EXPLORERS) await serveExplorers(app, config);

  const apollo = startApolloWithFirstGraph(context, { app, supergraph, formatError });
  health.add('supergraph', () => {
    const details = describeSupergraph(supergraph.state);
    return { status: apollo.current ? 'UP' : 'OUT_OF_SERVICE', details: { ...details } };
  });
  serveGraphQL(app, { apollo: () => apollo.current, authenticate: authenticator.authenticate });
  const upstreams = scope.use('upstream subscriptions', createUpstreams({ instances, log }));
  const server = scope.use(
    'HTTP server',
    await listen(app, { host: config.HOST, port: config.GATEWAY_PORT }),
  );
  scope.use(
    'live operations',
    serveLiveOperations({
      server: app.server,
      supergraph,
      upstreams,
      authenticator,
      apollo: () => apollo.current,
      formatError,
      log,
      metrics,
    }),
  );
  registerProcess(context, {
    port: server.port,
    managementPort,
    graceMs: 0,
    metadata: { [metadataKeys.subgraph]: '' },
  });
  return { http: server.port, management: managementPort };
}

/** Starts Apollo Server when there is a graph to serve; it follows the graph from then on. */
function startApolloWithFirstGraph(
  { scope, log }: ProcessContext<GatewayConfig>,
  {
    app,
    supergraph,
    formatError,
  }: { app: FastifyInstance; supergraph: Supergraph; formatError: ReturnType<typeof createErrorFormatter> },
): { readonly current: Apollo | undefined } {
  const started: { current: Apollo | undefined } = { current: undefined };
  const start = async () => {
    await supergraph.firstGraph;
    const apollo: Apollo = new ApolloServer({
      gateway: createSwappingGateway(supergraph),
      formatError,
      introspection: true,
      includeStacktraceInErrorResponses: false,
      stopOnTerminationSignals: false,
      logger: log,
      plugins: [fastifyApolloDrainPlugin(app), ApolloServerPluginLandingPageDisabled()],
    });
    await apollo.start();
    scope.defer('Apollo Server', () => apollo.stop());
    started.current = apollo;
  };
  start().catch(error => log.error({ err: error }, 'Apollo Server failed to start'));
  return started;
}

interface GraphQLRoute {
  readonly apollo: () => Apollo | undefined;
  readonly authenticate: (authorization: string | undefined) => Promise<OperationCaller>;
}

function serveGraphQL(app: FastifyInstance, { apollo, authenticate }: GraphQLRoute): void {
  const callers = new WeakMap<FastifyRequest, OperationCaller>();
  let handler: ReturnType<typeof fastifyApolloHandler> | undefined;

  app.route({
    method: ['GET', 'POST'],
    url: '/graphql',
    async preHandler(request, reply) {
      try {
        callers.set(request, await authenticate(request.headers.authorization));
      } catch (error) {
        if (!(error instanceof PorticoError)) throw error;
        return refuse(reply, error);
      }
      return undefined;
    },
    async handler(request, reply) {
      const server = apollo();
      if (!server)
        return refuse(
          reply,
          new PorticoError('GRAPH_NOT_READY', 'No subgraph has been composed yet; try again'),
        );
      handler ??= fastifyApolloHandler(server, {
        context: incoming =>
          Promise.resolve({ caller: callers.get(incoming as FastifyRequest) ?? anonymous }),
      });
      return handler.call(app as never, request as never, reply as never);
    },
  });
}

/** Answers a request as a whole with one error, in GraphQL's shape. */
function refuse(reply: FastifyReply, error: PorticoError): FastifyReply {
  if (error.retryable) void reply.header('retry-after', '1');
  return reply.code(error.httpStatus).send({ errors: [error.toGraphQLError().toJSON()] });
}
