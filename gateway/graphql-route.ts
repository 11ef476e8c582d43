import type { ApolloServer } from '@apollo/server';
import { fastifyApolloHandler } from '@as-integrations/fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { PorticoError } from '../platform/errors.ts';
import type { GatewayConfig } from './config.ts';
import { graphNotReady } from './errors.ts';
import type { OperationContext } from './operation-context.ts';
import { overloaded, type RequestLimit } from './overload.ts';
import { headerRulesOf, passHeaders } from './routing/header-rules.ts';
import type { Authenticator } from './security/authenticate.ts';
import { type HttpStreams, streamFormatOf } from './subscriptions/http-streams.ts';

/** Apollo Server, as the gateway uses it. */
export type Apollo = ApolloServer<OperationContext>;

interface GraphQLRouteOptions {
  /** Undefined until there is a graph. */
  readonly apollo: () => Apollo | undefined;
  readonly authenticator: Authenticator;
  readonly limit: RequestLimit;
  readonly streams: HttpStreams;
  readonly config: Pick<GatewayConfig, 'HEADERS_TO_SUBGRAPHS' | 'HEADERS_TO_CLIENTS'>;
}

/** Serves GraphQL over HTTP at `/graphql`. A request is refused as a whole for a bad token, too much load, or no graph yet. */
export function serveGraphQL(app: FastifyInstance, options: GraphQLRouteOptions): void {
  const { apollo, authenticator, limit, streams, config } = options;
  const contexts = new WeakMap<FastifyRequest, OperationContext>();
  const rules = headerRulesOf(config);
  const enter = ({ raw }: FastifyReply) => {
    const leave = limit.enter();
    if (raw.destroyed) leave?.();
    else if (leave) raw.once('close', leave);
    return leave !== undefined;
  };
  let handler: ReturnType<typeof fastifyApolloHandler> | undefined;

  app.route({
    method: ['GET', 'POST'],
    url: '/graphql',
    onRequest(request, reply, done) {
      // Streams are counted as connections: they are under way for as long as their client listens.
      if (streamFormatOf(request) || enter(reply)) done();
      else refuse(reply, overloaded());
    },
    async preHandler(request, reply) {
      try {
        const caller = await authenticator.authenticate(request.headers.authorization);
        contexts.set(request, {
          caller,
          headers: passHeaders(rules, request.headers),
          signal: goneOf(reply),
        });
      } catch (error) {
        if (!(error instanceof PorticoError)) throw error;
        return refuse(reply, error);
      }
      return undefined;
    },
    async handler(request, reply) {
      const format = streamFormatOf(request);
      const { caller, headers } = contexts.get(request) as OperationContext;
      try {
        if (format && (await streams.serve({ request, reply, format, caller, headers: headers.request })))
          return reply;
      } catch (error) {
        if (!(error instanceof PorticoError)) throw error;
        return refuse(reply, error);
      }
      if (format && !enter(reply)) return refuse(reply, overloaded());
      const server = apollo();
      if (!server) return refuse(reply, graphNotReady());
      handler ??= fastifyApolloHandler(server, {
        context: incoming => Promise.resolve(contexts.get(incoming as FastifyRequest) as OperationContext),
      });
      const answer: unknown = await handler.call(app as never, request as never, reply as never);
      void reply.headers(contexts.get(request)?.headers.response() ?? {});
      return answer;
    },
  });
}

/** A signal that is aborted when the client leaves before it has its answer. */
function goneOf({ raw }: FastifyReply): AbortSignal {
  const gone = new AbortController();
  if (raw.destroyed) gone.abort();
  raw.once('close', () => {
    if (!raw.writableFinished) gone.abort();
  });
  return gone.signal;
}

/** Answers a request as a whole with one error, in GraphQL's shape. */
function refuse(reply: FastifyReply, error: PorticoError): FastifyReply {
  if (error.retryable) void reply.header('retry-after', '1');
  return reply.code(error.httpStatus).send({ errors: [error.toGraphQLError().toJSON()] });
}
