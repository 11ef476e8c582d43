import { GraphQLError, type GraphQLFormattedError } from 'graphql';
import { PorticoError } from '../platform/errors.ts';
import type { Logger } from '../platform/log.ts';
import { GatewayError } from './gateway-error.ts';
import { limitOf } from './security/operation-limits.ts';

/**
 * Makes the formatter of the errors that clients get: each has a stable `code`, and the `subgraph` that it is from, and
 * no stack trace (older servers have theirs in `exception`). What went wrong in the gateway itself is logged once and
 * leaves as "Internal server error".
 */
export function createClientErrorFormatter(log: Logger, { showsSchema = true } = {}) {
  return (formatted: GraphQLFormattedError, error: unknown): GraphQLFormattedError => {
    const portico = porticoErrorIn(error);
    if (portico)
      return {
        ...formatted,
        message: portico.message,
        extensions: { code: portico.code, ...portico.details },
      };

    const limit = limitOf(formatted);
    if (limit !== undefined) return { ...formatted, extensions: { code: limit } };
    const {
      serviceName,
      code,
      stacktrace: _,
      exception: __,
      http: ___,
      ...extensions
    } = formatted.extensions ?? {};
    if (serviceName !== undefined) {
      const known = code !== undefined && code !== 'DOWNSTREAM_SERVICE_ERROR';
      return {
        ...formatted,
        extensions: { ...extensions, code: known ? code : 'SUBGRAPH_ERROR', subgraph: serviceName },
      };
    }
    if (isClientsFault(error)) return { ...formatted, extensions: { ...extensions, code: 'BAD_USER_INPUT' } };
    if (code !== undefined && code !== 'INTERNAL_SERVER_ERROR')
      return {
        ...formatted,
        message: showsSchema ? formatted.message : withoutSuggestions(formatted.message),
        extensions: { ...extensions, code },
      };
    log.error({ err: error, path: formatted.path }, 'An operation failed unexpectedly');
    return {
      message: 'Internal server error',
      ...(formatted.path ? { path: formatted.path } : {}),
      extensions: { code: 'INTERNAL_SERVER_ERROR' },
    };
  };
}

/** True of an error without a code of its own which Apollo Server answers with a status of the client's fault. */
function isClientsFault(error: unknown): boolean {
  if (!(error instanceof GraphQLError) || error.extensions['code'] !== undefined) return false;
  const { status } = (error.extensions['http'] ?? {}) as { readonly status?: unknown };
  return typeof status === 'number' && status >= 400 && status < 500;
}

/** graphql-js names what comes close to an unknown field, type, argument or value. */
function withoutSuggestions(message: string): string {
  return message.replace(/ Did you mean .*\?$/s, '');
}

/** The error of ours that graphql-js or a transport has wrapped. */
function porticoErrorIn(error: unknown): PorticoError | undefined {
  for (let inner = error; inner; inner = inner instanceof GraphQLError ? inner.originalError : undefined)
    if (inner instanceof PorticoError) return inner;
  return undefined;
}

/** Error of operations that come before there is a graph. */
export function graphNotReady(): PorticoError {
  return new GatewayError('GRAPH_NOT_READY', 'No subgraph has been composed yet; try again');
}
