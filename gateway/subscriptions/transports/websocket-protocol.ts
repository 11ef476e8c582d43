import {
  type ExecutionResult,
  type FormattedExecutionResult,
  GraphQLError,
  type GraphQLFormattedError,
} from 'graphql';
import { makeServer } from 'graphql-ws';
import type { WebSocket } from 'ws';
import { PorticoError } from '../../../platform/errors.ts';
import type { Authorization } from '../../authorization/authorization.ts';
import type { GatewayConfig } from '../../config.ts';
import { type FormatError, formatResult, formatted } from '../../format.ts';
import { GatewayError } from '../../gateway-error.ts';
import type { PassedHeaders } from '../../header-rules.ts';
import type { Authenticator } from '../../security/authenticate.ts';
import type { OperationCaller } from '../../security/operation-caller.ts';
import type { PersistedOperations } from '../../security/persisted-operations.ts';
import type { RateLimit } from '../../security/rate-limit.ts';
import { isLive, type LiveOperations } from '../live-operations.ts';
import type { LiveMetrics } from '../metrics.ts';
import { type Operation, RefusedOperation } from '../operation.ts';
import type { LiveResults } from '../results.ts';
import { whenTokenEnds } from './token-end.ts';

/** Parts of the gateway that the protocol needs. */
export interface ProtocolOptions {
  readonly operations: LiveOperations;
  readonly authenticator: Authenticator;
  readonly authorization: Pick<Authorization, 'prepare'>;
  readonly rateLimit: RateLimit;
  readonly persisted: PersistedOperations | undefined;
  readonly formatError: FormatError;
  readonly config: Pick<
    GatewayConfig,
    'LIVE_MAX_OPERATIONS_PER_CONNECTION' | 'LIVE_SLOW_CLIENT' | 'LIVE_CONNECTION_INIT_TIMEOUT_MS'
  >;
  readonly metrics: LiveMetrics;
}

/** One client's connection. */
export interface Connection {
  readonly socket: WebSocket;
  /** Address of the client. */
  readonly address: string;
  /** What it showed when it was opened, as the header Authorization would have it; `connection_init` goes before it. */
  readonly authorization: string | undefined;
  caller: OperationCaller;
  /** Headers that it was opened with and go to subgraphs. */
  readonly headers: PassedHeaders['request'];
  /** Results of its subscriptions: graphql-ws forgets one whose id is used again too early. */
  readonly results: Set<LiveResults>;
  /** Ends the wait for the caller's token to expire. */
  stopWatching: (() => void) | undefined;
}

/** State that the hooks of one operation share. */
interface OperationOfConnection {
  readonly operation: Operation;
  readonly connection: Connection;
  readonly id: string;
}

/** Close codes: RFC 6455 §7.4.1, graphql-ws's PROTOCOL.md, and one of our own. */
export const closeCodes = {
  goingAway: 1001,
  policyViolation: 1008,
  tryAgain: 1013,
  badRequest: 4400,
  internalError: 4500,
  forbidden: 4403,
  slowClient: 4290,
} as const;
/** Longest reason of a close frame, RFC 6455 §5.5.1, in bytes. */
const maxReasonBytes = 123;

/** Codes of errors that end an operation, and leave its connection. */
const refusals: ReadonlySet<string> = new Set([
  'RATE_LIMITED',
  'QUERY_NOT_IN_SAFELIST',
  'PERSISTED_QUERY_NOT_IN_LIST',
]);

/** Creates graphql-ws's protocol, with our operations. */
export function createProtocol({
  operations,
  authenticator,
  authorization,
  rateLimit,
  persisted,
  formatError,
  config,
  metrics,
}: ProtocolOptions) {
  /** Finds the caller by a token, and closes the connection when it is not accepted, or later, when it expires. */
  async function authenticate(
    connection: Connection,
    authorization: string | undefined,
    check: (caller: OperationCaller) => void,
  ): Promise<void> {
    const { socket } = connection;
    try {
      const caller = await authenticator.authenticate(authorization);
      check(caller);
      if (socket.readyState !== socket.OPEN) return;
      connection.caller = caller;
      connection.stopWatching?.();
      connection.stopWatching = whenTokenEnds(caller, reason =>
        socket.close(closeCodes.forbidden, `${reason}; connect with a new one`),
      );
    } catch (error) {
      if (!(error instanceof PorticoError)) throw error;
      socket.close(error.retryable ? closeCodes.tryAgain : closeCodes.forbidden, asReason(error.message));
    }
  }

  return makeServer<Record<string, unknown>, Connection>({
    connectionInitWaitTimeout: config.LIVE_CONNECTION_INIT_TIMEOUT_MS,
    async onConnect({ extra, connectionParams }) {
      await authenticate(extra, authorizationIn(connectionParams) ?? extra.authorization, () => {});
      return undefined;
    },
    async onPing({ extra, acknowledged }, payload) {
      const authorization = authorizationIn(payload);
      if (!acknowledged || authorization === undefined) return;
      const { key } = extra.caller;
      await authenticate(extra, authorization, caller => {
        if (caller.key !== key) throw otherCaller();
      });
    },
    async onSubscribe({ extra, subscriptions }, id, payload) {
      if (Object.keys(subscriptions).length > config.LIVE_MAX_OPERATIONS_PER_CONNECTION)
        return [tooManyOperations(config.LIVE_MAX_OPERATIONS_PER_CONNECTION)];
      try {
        await rateLimit.count(extra);
        await authorization.prepare(extra.caller);
        const operation = operations.read(persisted?.resolve(payload) ?? payload, extra.caller);
        const contextValue: OperationOfConnection = { operation, connection: extra, id };
        const { document, graph } = operation;
        const { operationName } = payload;
        return { schema: graph.schema, document, operationName, contextValue };
      } catch (error) {
        if (error instanceof RefusedOperation) return error.errors;
        if (error instanceof GatewayError && refusals.has(error.code)) return [error.toGraphQLError()];
        throw error;
      }
    },
    subscribe({ contextValue }) {
      const { operation, connection, id } = contextValue as OperationOfConnection;
      if (!isLive(operation)) throw new Error('Only a subscription can be subscribed to');
      const { socket, caller, address, headers } = connection;
      const results = operations.subscribe(
        operation,
        { caller, address, headers, transport: 'websocket' },
        overflow => {
          connection.results.delete(results);
          if (overflow && config.LIVE_SLOW_CLIENT === 'disconnect')
            socket.close(closeCodes.slowClient, slowReason(id, overflow.extensions['cursor']));
        },
      );
      connection.results.add(results);
      return results;
    },
    execute({ contextValue }) {
      const { operation, connection } = contextValue as OperationOfConnection;
      if (!operation.isDeferring) return operations.execute(operation, connection);
      const gone = new AbortController();
      connection.socket.once('close', () => gone.abort());
      return operations.executeInParts(operation, { ...connection, signal: gone.signal }) as never;
    },
    onNext(_context, _id, _payload, { contextValue }, result) {
      const { operation } = contextValue as OperationOfConnection;
      if (operation.isDeferring) return result as FormattedExecutionResult;
      if (isLive(operation)) metrics.resultSent('websocket');
      return formatResult(result as ExecutionResult, formatError) as FormattedExecutionResult;
    },
    onError: (_context, _id, _payload, errors) =>
      errors.map(error => formatted(originalOf(error), formatError)),
  });
}

/** graphql-ws wraps what an iterator throws. */
function originalOf(error: GraphQLError | GraphQLFormattedError): GraphQLError | GraphQLFormattedError {
  const original = error instanceof GraphQLError ? error.originalError : undefined;
  return original instanceof GraphQLError ? original : error;
}

/** Explorers send headers as they are, or below `headers`; names in any case. */
function authorizationIn(params: Record<string, unknown> | null | undefined): string | undefined {
  for (const place of [params, params?.['headers'] as Record<string, unknown> | undefined])
    for (const [name, value] of Object.entries(place ?? {}))
      if (name.toLowerCase() === 'authorization' && typeof value === 'string') return value;
  return undefined;
}

/** Subscriptions that are under way have the rights of the caller that they began with. */
function otherCaller(): PorticoError {
  return new PorticoError(
    'UNAUTHENTICATED',
    'The new token is of another caller, or has other scopes; connect with it',
  );
}

function tooManyOperations(max: number): GraphQLError {
  return new GatewayError(
    'TOO_MANY_OPERATIONS',
    `This connection has ${max} operations, and takes no more; complete one, or open another connection`,
  ).toGraphQLError();
}

/** Says in a close frame which operation was too slow, and where it may go on. */
function slowReason(id: string, cursor: unknown): string {
  const full = JSON.stringify({ code: 'SLOW_CLIENT', id, cursor });
  return Buffer.byteLength(full) <= maxReasonBytes ? full : 'SLOW_CLIENT';
}

function asReason(message: string): string {
  return Buffer.from(message)
    .subarray(0, maxReasonBytes)
    .toString()
    .replace(/\uFFFD$/, '');
}
