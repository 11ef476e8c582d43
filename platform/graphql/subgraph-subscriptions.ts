import type { Server } from 'node:http';
import {
  type DocumentNode,
  type ExecutionResult,
  type FormattedExecutionResult,
  GraphQLError,
  type GraphQLFormattedError,
  type GraphQLSchema,
  getOperationAST,
  parse,
  subscribe,
  validate,
} from 'graphql';
import type { SubscribePayload } from 'graphql-ws';
import { useServer } from 'graphql-ws/use/ws';
import { LRUCache } from 'lru-cache';
import { WebSocketServer } from 'ws';
import { type Caller, callerHeader } from '../caller.ts';
import { PorticoError } from '../errors.ts';
import { type Closable, closeOnce } from '../lifecycle.ts';
import type { Logger } from '../log.ts';
import type { SubgraphOperationContext } from './operation-context.ts';
import { startCursorExtension } from './start-cursor.ts';

interface SubscriptionsOptions<C extends SubgraphOperationContext> {
  readonly server: Server;
  readonly schema: GraphQLSchema;
  /** Finds the caller that a token names. @throws PorticoError UNAUTHENTICATED for a bad one */
  readonly verify: (token: string | undefined) => Promise<Caller | undefined>;
  readonly operationContext: (caller: Caller | undefined) => C;
  readonly formatError: (formatted: GraphQLFormattedError, error: unknown) => GraphQLFormattedError;
  readonly log: Logger;
}

/** Documents whose validation is remembered: a gateway opens the same few operations for many callers. */
const maxRememberedDocuments = 500;
const maxPayloadBytes = 1024 * 1024;

/**
 * Serves a subgraph's subscriptions over graphql-ws at `/graphql`. The caller comes with each operation, in its
 * `extensions`, so that one connection of the gateway carries the subscriptions of many callers. A subscription that
 * sets `startCursor` in its context tells that cursor first, to whoever asks for it.
 */
export function serveSubscriptions<C extends SubgraphOperationContext>(
  options: SubscriptionsOptions<C>,
): Closable {
  const { server, schema, verify, operationContext, formatError, log } = options;
  const sockets = new WebSocketServer({ server, path: '/graphql', maxPayload: maxPayloadBytes });
  const readDocument = rememberDocuments(schema);
  const askedForCursor = new WeakSet<object>();

  async function prepare(payload: SubscribePayload) {
    const document = readDocument(payload.query);
    if (!('kind' in document)) return document;
    if (!getOperationAST(document, payload.operationName))
      return [new GraphQLError('The payload must have one operation, or name one of several')];
    const token = payload.extensions?.[callerHeader];
    const contextValue = operationContext(await verify(typeof token === 'string' ? token : undefined));
    if (payload.extensions?.[startCursorExtension] === true) askedForCursor.add(contextValue);
    const { operationName, variables: variableValues } = payload;
    return { schema, document, operationName, variableValues, contextValue };
  }

  const serving = useServer(
    {
      onSubscribe: (_connection, _id, payload) =>
        prepare(payload).catch(error => {
          if (error instanceof PorticoError) return [error.toGraphQLError()];
          throw error;
        }),
      async subscribe(args) {
        const results = await subscribe(args);
        const context = args.contextValue as C;
        if (!(Symbol.asyncIterator in results) || !context.startCursor || !askedForCursor.has(context))
          return results;
        const start = context.startCursor.then(cursor => ({ extensions: { cursor } }));
        // An error of one operation is told by its first result, and ends only that operation.
        start.catch(() => {});
        return startingWith(start, results);
      },
      onError: (_connection, _id, _payload, errors) =>
        errors.map(error => formatError(error.toJSON(), error)),
      onNext(_connection, _id, _payload, _args, { errors, ...rest }) {
        if (!errors) return undefined;
        return {
          ...rest,
          errors: errors.map(error => formatError(error.toJSON(), error)),
        } as FormattedExecutionResult;
      },
    },
    sockets,
  );
  sockets.on('error', error => log.error({ err: error }, 'The subscription server failed'));
  return {
    close: closeOnce(async () => {
      await serving.dispose();
    }),
  };
}

/** Parses and validates each document once. */
function rememberDocuments(schema: GraphQLSchema): (query: string) => DocumentNode | readonly GraphQLError[] {
  const documents = new LRUCache<string, DocumentNode>({ max: maxRememberedDocuments });
  return query => {
    const known = documents.get(query);
    if (known) return known;
    try {
      const document = parse(query);
      const invalid = validate(schema, document);
      if (invalid.length > 0) return invalid;
      documents.set(query, document);
      return document;
    } catch (error) {
      return [error as GraphQLError];
    }
  };
}

function startingWith(
  first: Promise<ExecutionResult>,
  others: AsyncGenerator<ExecutionResult, void, void>,
): AsyncIterableIterator<ExecutionResult> {
  let started = false;
  const results: AsyncIterableIterator<ExecutionResult> = {
    next() {
      if (started) return others.next();
      started = true;
      return first.then(value => ({ done: false, value }));
    },
    async return() {
      await others.return();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => results,
  };
  return results;
}
