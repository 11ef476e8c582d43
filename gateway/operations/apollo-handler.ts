import { fastifyApolloHandler } from '@as-integrations/fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { GraphQLFormattedError } from 'graphql';
import type { Apollo, OperationContext } from '../operation-context.ts';

/** Hands a request over to Apollo Server. @returns the answer, whose head is on the reply */
export type AskApollo = (
  server: Apollo,
  request: FastifyRequest,
  reply: FastifyReply,
  context: OperationContext,
) => Promise<unknown>;

/** Codes of an operation that was understood as a request, and can't be run. */
const refusalCodes: ReadonlySet<unknown> = new Set([
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'BAD_USER_INPUT',
]);

/** Creates the function that hands requests over to Apollo Server. */
export function createApolloHandler(app: FastifyInstance): AskApollo {
  let handler: ReturnType<typeof fastifyApolloHandler> | undefined;
  const contexts = new WeakMap<FastifyRequest, OperationContext>();
  return async (server, request, reply, context) => {
    contexts.set(request, context);
    handler ??= fastifyApolloHandler(server, {
      context: incoming => Promise.resolve(contexts.get(incoming as FastifyRequest) as OperationContext),
    });
    const answer: unknown = await handler.call(app as never, request as never, reply as never);
    if (isRefusedOperation(reply, answer)) void reply.code(200);
    return answer;
  };
}

/**
 * Tells of an answer of Apollo Server with status 400 if clients of `application/json` have to get it with 200:
 * https://graphql.github.io/graphql-over-http/draft/#sec-application-json
 */
function isRefusedOperation(reply: FastifyReply, answer: unknown): boolean {
  const type = reply.getHeader('content-type');
  if (reply.statusCode !== 400 || typeof answer !== 'string') return false;
  if (typeof type !== 'string' || !type.startsWith('application/json')) return false;
  const { errors } = JSON.parse(answer) as { errors?: readonly GraphQLFormattedError[] };
  return errors?.every(({ extensions }) => refusalCodes.has(extensions?.['code'])) ?? false;
}
