import { readFileSync } from 'node:fs';
import { ApolloServer } from '@apollo/server';
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginInlineTraceDisabled,
} from '@apollo/server/plugin/disabled';
import { buildSubgraphSchema } from '@apollo/subgraph';
import fastifyApollo, { fastifyApolloDrainPlugin } from '@as-integrations/fastify';
import { GraphQLError, type GraphQLSchema, graphql, parse } from 'graphql';
import * as z from 'zod';
import { type Caller, callerHeader, callerSettings, openCallerTokens } from '../caller.ts';
import { durationMs, port, processSettings } from '../config.ts';
import { PorticoError } from '../errors.ts';
import { createHttpServer, listen } from '../http.ts';
import type { Ports, ProcessContext } from '../process.ts';
import { metadataKeys } from '../registry/instance.ts';
import { registerProcess } from '../registry/register-process.ts';
import { registrySettings } from '../registry/settings.ts';
import { createErrorFormatter } from './error-format.ts';
import type { SubgraphOperationContext } from './operation-context.ts';
import { hashOfSdl } from './sdl.ts';
import { serveSubscriptions } from './subgraph-subscriptions.ts';

/** Settings of a subgraph's process; each subgraph's own settings extend these. */
export const subgraphSettings = processSettings.extend({
  ...registrySettings.shape,
  ...callerSettings.shape,
  PORT: port(0).describe('Port of the GraphQL endpoint; 0 takes a free one and registers it.'),
  DEREGISTRATION_GRACE_MS: durationMs(300, { min: 0, max: 60_000 }).describe(
    'How long an instance goes on serving after it has left the registry, so that followers hear of it.',
  ),
});

type SubgraphConfig = z.infer<typeof subgraphSettings>;

type Resolvers = Parameters<typeof buildSubgraphSchema>[0] extends infer Options
  ? Extract<Options, { resolvers?: unknown }>['resolvers']
  : never;

interface SubgraphOptions<C extends SubgraphOperationContext> {
  readonly context: ProcessContext<SubgraphConfig>;
  readonly schemaUrl: URL;
  readonly resolvers: object;
  /** Creates the context that the resolvers of one operation share. */
  readonly operationContext: (caller: Caller | undefined) => C;
}

/**
 * Starts a subgraph: its management endpoints, GraphQL over HTTP and (when the schema has subscriptions) WebSocket, and
 * its entry in the registry, in that order.
 */
export async function startSubgraph<C extends SubgraphOperationContext>(
  options: SubgraphOptions<C>,
): Promise<Ports> {
  const { context, schemaUrl, resolvers, operationContext } = options;
  const { name, config, log, scope, metrics } = context;
  const callers = openCallerTokens(config);
  const verify = (token: string | undefined) => callers.verify(token, name);
  const callerOf = (token: string | undefined) =>
    verify(token).catch(error => {
      throw refusal(error);
    });
  const schema = buildSubgraphSchema({
    typeDefs: parse(readFileSync(schemaUrl, 'utf8')),
    resolvers: resolvers as NonNullable<Resolvers>,
  });

  const { port: managementPort } = await context.listenForManagement();
  const app = createHttpServer({ log, config, metrics });
  const formatError = createErrorFormatter(log);
  const apollo = new ApolloServer<C>({
    schema,
    formatError,
    introspection: true,
    includeStacktraceInErrorResponses: false,
    stopOnTerminationSignals: false,
    logger: log,
    plugins: [
      fastifyApolloDrainPlugin(app),
      ApolloServerPluginInlineTraceDisabled(),
      // It would look at every field that is resolved, for hints that no schema here has.
      ApolloServerPluginCacheControlDisabled(),
    ],
  });
  await apollo.start();
  await app.register(fastifyApollo(apollo), {
    path: '/graphql',
    context: async request => operationContext(await callerOf(headerOf(request.headers[callerHeader]))),
  });
  const server = await listen(app, { host: config.HOST, port: config.PORT });
  scope.defer('GraphQL server', async () => {
    await apollo.stop();
    await server.close();
  });
  if (schema.getSubscriptionType())
    scope.use(
      'subscriptions',
      serveSubscriptions({ server: app.server, schema, verify, operationContext, log, formatError }),
    );

  registerProcess(context, {
    port: server.port,
    managementPort,
    graceMs: config.DEREGISTRATION_GRACE_MS,
    isFoundByEntry: true,
    metadata: {
      [metadataKeys.subgraph]: name,
      [metadataKeys.graphqlPath]: '/graphql',
      [metadataKeys.schemaHash]: await hashOfSchema(schema),
    },
  });
  log.debug(`${name} serves GraphQL at port ${server.port}`);
  return { http: server.port, management: managementPort };
}

async function hashOfSchema(schema: GraphQLSchema): Promise<string> {
  const { data } = await graphql({ schema, source: '{ _service { sdl } }' });
  const { sdl } = z.object({ _service: z.object({ sdl: z.string() }) }).parse(data)._service;
  return hashOfSdl(sdl);
}

function headerOf(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

/** A request that names a caller who does not verify is refused as a whole. */
function refusal(error: unknown): unknown {
  if (!(error instanceof PorticoError)) return error;
  return new GraphQLError(error.message, {
    extensions: { code: error.code, http: { status: error.httpStatus } },
  });
}
