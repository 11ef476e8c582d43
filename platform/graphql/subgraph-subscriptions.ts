import type { Server } from 'node:http';
import {
  type FormattedExecutionResult,
  GraphQLError,
  type GraphQLFormattedError,
  type GraphQLSchema,
  getOperationAST,
  parse,
  validate,
} from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import { type Caller, type CallerTokens, callerHeader } from '../caller.ts';
import { PorticoError } from '../errors.ts';
import { type Closable, closeOnce } from '../lifecycle.ts';
import type { Logger } from '../log.ts';

interface SubscriptionsOptions<C> {
  readonly server: Server;
  readonly schema: GraphQLSchema;
  readonly callers: CallerTokens;
  readonly operationContext: (caller: Caller | undefined) => C;
  readonly formatError: (formatted: GraphQLFormattedError, error: unknown) => GraphQLFormattedError;
  readonly log: Logger;
}

/**
 * Serves a subgraph's subscriptions over graphql-ws at `/graphql`. The caller comes with each operation, in its
 * `extensions`, so that one connection of the gateway carries the subscriptions of many callers.
 */
export function serveSubscriptions<C>(options: SubscriptionsOptions<C>): Closable {
  const { server, schema, callers, operationContext, formatError, log } = options;
  const sockets = new WebSocketServer({ server, path: '/graphql', maxPayload: 1024 * 1024 });
  const serving = useServer(
    {
      async onSubscribe(_connection, _id, payload) {
        try {
          const document = parse(payload.query);
          const invalid = validate(schema, document);
          if (invalid.length > 0) return invalid;
          if (!getOperationAST(document, payload.operationName))
            return [new GraphQLError('The payload expected one operation, or the name of one')];
          const token = payload.extensions?.[callerHeader];
          const caller = await callers.verify(typeof token === 'string' ? token : undefined);
          return {
            schema,
            document,
            operationName: payload.operationName,
            variableValues: payload.variables,
            contextValue: operationContext(caller),
          };
        } catch (error) {
          if (error instanceof PorticoError) return [error.toGraphQLError()];
          if (error instanceof GraphQLError) return [error];
          throw error;
        }
      },
      onError(_connection, _id, _payload, errors) {
        return errors.map(error => formatError(error.toJSON(), error));
      },
      onNext(_connection, _id, _payload, _args, result) {
        const { errors, ...rest } = result;
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
