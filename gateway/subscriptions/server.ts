import type { Server } from 'node:http';
import type { ApolloServer } from '@apollo/server';
import {
  type DocumentNode,
  type ExecutionResult,
  type FormattedExecutionResult,
  GraphQLError,
  type GraphQLFormattedError,
  getOperationAST,
  getVariableValues,
  type OperationDefinitionNode,
  parse,
  validate,
} from 'graphql';
import type { SubscribePayload } from 'graphql-ws';
import { useServer } from 'graphql-ws/use/ws';
import { Counter, Gauge, type Registry } from 'prom-client';
import { WebSocketServer } from 'ws';
import { PorticoError } from '../../platform/errors.ts';
import { type Closable, closeOnce } from '../../platform/lifecycle.ts';
import type { Logger } from '../../platform/log.ts';
import type { OperationContext } from '../operation-context.ts';
import { noHeaders } from '../routing/header-rules.ts';
import type { Authenticator } from '../security/authenticate.ts';
import { anonymous, type OperationCaller } from '../security/operation-caller.ts';
import type { Graph } from '../supergraph/graph.ts';
import type { Supergraph } from '../supergraph/supergraph.ts';
import { startLiveOperation } from './live-operation.ts';
import type { Upstreams } from './upstream.ts';

interface LiveServerOptions {
  readonly server: Server;
  readonly supergraph: Supergraph;
  readonly upstreams: Upstreams;
  readonly authenticator: Authenticator;
  /** Runs queries and mutations that come over a WebSocket; undefined until there is a graph. */
  readonly apollo: () => ApolloServer<OperationContext> | undefined;
  readonly formatError: (formatted: GraphQLFormattedError, error: unknown) => GraphQLFormattedError;
  readonly log: Logger;
  readonly metrics: Registry;
}

/** What one operation of a connection knows. */
interface LiveContext {
  readonly graph: Graph;
  readonly operation: OperationDefinitionNode;
  readonly caller: OperationCaller;
  readonly payload: SubscribePayload;
}

/** Largest message that a client may send, in bytes. */
const maxPayloadBytes = 256 * 1024;
/** Close code of a connection whose token is not accepted, https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md */
const forbiddenCode = 4403;

/** Serves live operations, and queries and mutations, over graphql-ws at `/graphql`. */
export function serveLiveOperations(options: LiveServerOptions): Closable {
  const { server, authenticator, formatError, log } = options;
  const count = createCounters(options.metrics);
  const sockets = new WebSocketServer({ server, path: '/graphql', maxPayload: maxPayloadBytes });
  const callers = new WeakMap<object, OperationCaller>();

  const serving = useServer(
    {
      async onConnect({ extra, connectionParams }) {
        try {
          callers.set(extra.socket, await authenticator.authenticate(authorizationIn(connectionParams)));
          count.connections.inc();
          extra.socket.once('close', () => count.connections.dec());
        } catch (error) {
          if (!(error instanceof PorticoError)) throw error;
          extra.socket.close(forbiddenCode, error.message.slice(0, 120));
        }
        return undefined;
      },
      onSubscribe: ({ extra }, _id, payload) =>
        prepare(options.supergraph.graph, payload, callers.get(extra.socket) ?? anonymous),
      async subscribe({ contextValue, document, variableValues }) {
        const { graph, operation, caller } = contextValue as LiveContext;
        try {
          const results = await startLiveOperation({
            ...options,
            versionOf: options.supergraph.versionOf,
            graph,
            document,
            operation,
            variables: variableValues ?? {},
            caller,
          });
          count.operations.inc();
          return counted(results, () => count.operations.dec());
        } catch (error) {
          return { errors: [graphQLErrorOf(error)] };
        }
      },
      execute: ({ contextValue }) => executeOnce(options, contextValue as LiveContext),
      onNext(_connection, _id, _payload, _args, result) {
        count.sent.inc();
        const { errors, ...rest } = result;
        if (!errors) return undefined;
        return {
          ...rest,
          errors: errors.map(error => formatError(toFormatted(error), error)),
        } as FormattedExecutionResult;
      },
      onError: (_connection, _id, _payload, errors) =>
        errors.map(error => formatError(toFormatted(error), error)),
    },
    sockets,
  );
  sockets.on('error', error => log.error({ err: error }, 'The WebSocket server failed'));
  return {
    close: closeOnce(async () => {
      await serving.dispose();
    }),
  };
}

/** Reads an operation and checks it against the graph that is served now. */
function prepare(graph: Graph | undefined, payload: SubscribePayload, caller: OperationCaller) {
  if (!graph) return [notReady()];
  const { operationName, variables } = payload;
  let document: DocumentNode;
  try {
    document = parse(payload.query);
  } catch (error) {
    return [withCode(error as GraphQLError, 'GRAPHQL_PARSE_FAILED')];
  }
  const invalid = validate(graph.schema, document);
  if (invalid.length > 0) return invalid.map(error => withCode(error, 'GRAPHQL_VALIDATION_FAILED'));
  const operation = getOperationAST(document, operationName);
  if (!operation)
    return [
      new GraphQLError('The message expected one operation, or the name of one', {
        extensions: { code: 'OPERATION_RESOLUTION_FAILURE' },
      }),
    ];
  const { errors } = getVariableValues(graph.schema, operation.variableDefinitions ?? [], variables ?? {});
  if (errors) return errors.map(error => withCode(error, 'BAD_USER_INPUT'));
  const contextValue: LiveContext = { graph, operation, caller, payload };
  return { schema: graph.schema, document, operationName, variableValues: variables, contextValue };
}

/** A query or mutation over the WebSocket goes the way that it goes over HTTP. */
async function executeOnce(
  { apollo }: LiveServerOptions,
  { payload, caller }: LiveContext,
): Promise<ExecutionResult> {
  const server = apollo();
  if (!server) return { errors: [notReady()] };
  const { query, variables, operationName } = payload;
  const { body } = await server.executeOperation(
    {
      query,
      variables: (variables ?? {}) as Record<string, never>,
      ...(operationName == null ? {} : { operationName }),
    },
    { contextValue: { caller, headers: noHeaders } },
  );
  if (body.kind !== 'single') throw new Error('Incremental delivery expected not to be asked for, but was');
  return body.singleResult as ExecutionResult;
}

/** Explorers send headers as they are, or below `headers`; names in any case. */
function authorizationIn(params: Readonly<Record<string, unknown>> | undefined): string | undefined {
  for (const place of [params, params?.['headers'] as Record<string, unknown> | undefined])
    for (const [name, value] of Object.entries(place ?? {}))
      if (name.toLowerCase() === 'authorization' && typeof value === 'string') return value;
  return undefined;
}

function createCounters(metrics: Registry) {
  const registers = [metrics];
  return {
    connections: new Gauge({
      name: 'gateway_live_connections',
      help: 'WebSocket connections that clients have open.',
      registers,
    }),
    operations: new Gauge({
      name: 'gateway_live_operations',
      help: 'Subscriptions that clients have open.',
      registers,
    }),
    sent: new Counter({
      name: 'gateway_live_results_total',
      help: 'Results sent to clients over WebSockets.',
      registers,
    }),
  };
}

function counted(
  results: AsyncIterableIterator<ExecutionResult>,
  onEnd: () => void,
): AsyncIterableIterator<ExecutionResult> {
  let ended = false;
  const end = () => {
    if (!ended) onEnd();
    ended = true;
  };
  return {
    async next() {
      try {
        const result = await results.next();
        if (result.done) end();
        return result;
      } catch (error) {
        end();
        throw error;
      }
    },
    async return() {
      end();
      await results.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

function notReady(): GraphQLError {
  return new PorticoError('GRAPH_NOT_READY', 'No subgraph has been composed yet; try again').toGraphQLError();
}

function withCode(error: GraphQLError, code: string): GraphQLError {
  return new GraphQLError(error.message, {
    nodes: error.nodes ?? null,
    source: error.source ?? null,
    positions: error.positions ?? null,
    extensions: { code },
  });
}

function graphQLErrorOf(error: unknown): GraphQLError {
  if (error instanceof GraphQLError) return error;
  if (error instanceof PorticoError) return error.toGraphQLError();
  return new GraphQLError('Internal server error', { originalError: error as Error });
}

function toFormatted(error: GraphQLError | GraphQLFormattedError): GraphQLFormattedError {
  return error instanceof GraphQLError ? error.toJSON() : error;
}
