import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { LRUCache } from 'lru-cache';
import { messageOf, PorticoError } from '../platform/errors.ts';
import { CostReport, costHeader } from './cost/cost-report.ts';
import { onGoneOrOver } from './departure.ts';
import { graphNotReady } from './errors.ts';
import type { FormatError } from './format.ts';
import { type HeaderRules, passHeaders } from './header-rules.ts';
import { answerInParts, incrementalFormatOf } from './incremental/multipart.ts';
import { readBodiesAsText } from './listener/json-bodies.ts';
import type { Apollo, OperationContext } from './operation-context.ts';
import type { OnOver, OperationTime } from './operation-time.ts';
import { createApolloHandler } from './operations/apollo-handler.ts';
import type { OperationRunner, WrittenAnswer } from './operations/operation-runner.ts';
import { readRequestText } from './operations/request-text.ts';
import { overloaded, type RequestLimit } from './overload.ts';
import { PlanReport, planHeader } from './plan-report.ts';
import { type Admission, admit } from './security/admission.ts';
import type { OperationCaller } from './security/operation-caller.ts';
import type { PersistedOperations } from './security/persisted-operations.ts';
import { resolvePersisted } from './security/persisted-requests.ts';
import type { LiveOperations } from './subscriptions/live-operations.ts';
import { type HttpStreams, streamFormatOf } from './subscriptions/transports/http-streams.ts';
import { Turn } from './turn.ts';

interface GraphQLRouteOptions extends Admission {
  /** Undefined until there is a graph. */
  readonly apollo: () => Apollo | undefined;
  readonly limit: RequestLimit;
  /** Undefined without a manifest. */
  readonly persisted: PersistedOperations | undefined;
  readonly streams: HttpStreams;
  /** Reads operations that are answered in parts. */
  readonly operations: Pick<LiveOperations, 'isReady' | 'read'>;
  readonly formatError: FormatError;
  readonly runner: OperationRunner;
  readonly rules: HeaderRules;
  readonly time: OperationTime;
  /** Tells whether a request with this value of {@link planHeader} may see its query plan. */
  readonly mayShowPlan: (header: unknown) => boolean;
}

/** One request, and what tells when its time is over. */
interface Exchange {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly onOver: OnOver;
}

/** Largest answer that is sent as text, in bytes: Node puts text and the headers together, and takes bytes beside them. */
const maxTextBytes = 4_096;
/** Values of `accept` for which the answer's type is remembered, and their greatest length. */
const maxAccepts = 100;
const maxAcceptLength = 300;

/**
 * Serves GraphQL over HTTP at `/graphql`: operations that are known at once, others by Apollo Server. A request is refused
 * as a whole for a bad token, too much load, or no graph yet.
 */
export function serveGraphQL(app: FastifyInstance, options: GraphQLRouteOptions): void {
  // Bodies are read otherwise than those of other routes.
  void app.register((scope, _options, done) => {
    serveRoute(scope, options);
    done();
  });
}

function serveRoute(app: FastifyInstance, options: GraphQLRouteOptions): void {
  const {
    apollo,
    limit,
    rateLimit,
    persisted,
    streams,
    operations,
    formatError,
    runner,
    rules,
    time,
    mayShowPlan,
  } = options;
  const parseBody = readBodiesAsText(app);
  const askApollo = createApolloHandler(app);
  const callers = new WeakMap<FastifyRequest, OperationCaller>();
  const callerOf = (request: FastifyRequest) => callers.get(request) as OperationCaller;
  /** Type of the answer to what a client accepts, as Apollo Server has chosen it. */
  const typeByAccept = new LRUCache<string, string>({ max: maxAccepts });
  const enter = (reply: FastifyReply) => enterUntilClosed(limit, reply);

  async function runKnown(
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<Buffer | string | undefined> {
    const { headers } = request;
    const asked = readRequestText(request, parseBody);
    const type = typeByAccept.get(headers.accept ?? '');
    if (!asked || type === undefined) return undefined;
    // What an operator or a client wants to see of one run is not answered to anybody else.
    if (mayShowPlan(headers[planHeader]) || headers[costHeader] !== undefined) return undefined;
    const answer = await time.bound(onOver =>
      runner.run({
        asked,
        headers,
        caller: callerOf(request),
        address: rateLimit.addressOf(request.raw),
        onGone: callback => onGoneOrOver(reply, onOver, callback),
      }),
    );
    if (!answer) return undefined;
    void withHead(reply, answer, type);
    const { body } = answer;
    return body.length > maxTextBytes ? body : body.toString();
  }

  async function runByApollo(request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    const server = apollo();
    if (!server) return refuse(reply, graphNotReady());
    const [answer, context] = await time.bound(async onOver => {
      const given = contextOf(options, callerOf(request), { request, reply, onOver });
      return [await askApollo(server, request, reply, given), given] as const;
    });
    const accept = request.headers.accept ?? '';
    const type = reply.getHeader('content-type');
    if (reply.statusCode === 200 && typeof type === 'string' && accept.length <= maxAcceptLength)
      typeByAccept.set(accept, type);
    void reply.headers(context.headers.response());
    return answer;
  }

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
        callers.set(request, await admit(request, reply, options));
      } catch (error) {
        if (!(error instanceof PorticoError)) throw error;
        return refuse(reply, error);
      }
      return undefined;
    },
    async handler(request, reply) {
      if (persisted) resolvePersisted(persisted, request, parseBody);
      const format = streamFormatOf(request);
      const incremental = format ? undefined : incrementalFormatOf(request);
      if (incremental) {
        parseBody(request);
        // What has not come when the time is over fails, which ends the answer.
        const onOver: OnOver = callback => time.signal().addEventListener('abort', callback);
        const context = contextOf(options, callerOf(request), { request, reply, onOver });
        if (await answerInParts({ request, reply, format: incremental, operations, context, formatError }))
          return reply;
      }
      const known = format || incremental ? undefined : await runKnown(request, reply);
      if (known) return known;
      parseBody(request);
      if (format) {
        const caller = callerOf(request);
        const headers = passHeaders(rules, request.headers).request;
        const address = rateLimit.addressOf(request.raw);
        if (await streams.serve({ request, reply, format, caller, address, headers })) return reply;
        if (!enter(reply)) return refuse(reply, overloaded());
      }
      return runByApollo(request, reply);
    },
    errorHandler: (error, _request, reply) => refuseUnreadable(error, reply),
  });
}

/** Context of the run of one request. */
function contextOf(
  { rateLimit, rules, mayShowPlan }: GraphQLRouteOptions,
  caller: OperationCaller,
  { request, reply, onOver }: Exchange,
): OperationContext {
  const gone = new AbortController();
  onGoneOrOver(reply, onOver, () => gone.abort());
  return {
    caller,
    address: rateLimit.addressOf(request.raw),
    headers: passHeaders(rules, request.headers),
    turn: new Turn(),
    signal: gone.signal,
    costReport: request.headers[costHeader] === undefined ? undefined : new CostReport(),
    report: mayShowPlan(request.headers[planHeader]) ? new PlanReport() : undefined,
  };
}

/** Takes a request in until its connection closes. @returns false when there are too many */
function enterUntilClosed(limit: RequestLimit, { raw }: FastifyReply): boolean {
  const leave = limit.enter();
  if (raw.destroyed) leave?.();
  else if (leave) raw.once('close', leave);
  return leave !== undefined;
}

/** Answers a request that could not be read. @throws error when that is not the client's fault */
function refuseUnreadable(error: unknown, reply: FastifyReply): void {
  if (error instanceof PorticoError) return void refuse(reply, error);
  const { statusCode = 500 } = error as { statusCode?: number };
  if (statusCode < 400 || statusCode >= 500) throw error;
  void reply
    .code(statusCode)
    .send({ errors: [{ message: messageOf(error), extensions: { code: 'BAD_USER_INPUT' } }] });
}

/** Gives a reply the status and the headers of an answer. */
function withHead(reply: FastifyReply, { status, headers }: WrittenAnswer, type: string): FastifyReply {
  return reply.code(status).headers({ 'cache-control': 'no-store', 'content-type': type, ...headers });
}

/** Answers a request as a whole with one error, in GraphQL's shape. */
function refuse(reply: FastifyReply, error: PorticoError): FastifyReply {
  const { retryAfterSeconds = 1 } = error.details;
  if (error.retryable) void reply.header('retry-after', String(retryAfterSeconds));
  return reply.code(error.httpStatus).send({ errors: [error.toGraphQLError().toJSON()] });
}
