import { unwrapResolverError } from '@apollo/server/errors';
import { GraphQLError, type GraphQLFormattedError } from 'graphql';
import { isDatabaseOutage } from '../database-errors.ts';
import { PorticoError } from '../errors.ts';
import type { Logger } from '../log.ts';

/**
 * Makes the formatter of a GraphQL server's errors: what was meant for the client goes out with its code and details;
 * anything else is logged once and leaves as "Internal server error", or as SERVICE_UNAVAILABLE when the database is away.
 */
export function createErrorFormatter(log: Logger) {
  return (formatted: GraphQLFormattedError, error: unknown): GraphQLFormattedError => {
    const cause = unwrapResolverError(error);
    if (cause instanceof PorticoError)
      return {
        ...formatted,
        message: cause.message,
        extensions: { code: cause.code, ...cause.details },
      };
    const code = formatted.extensions?.['code'];
    if (cause instanceof GraphQLError && code !== 'INTERNAL_SERVER_ERROR') return formatted;
    log.error({ err: cause, path: formatted.path }, 'A resolver failed unexpectedly');
    return { ...masked(cause), ...(formatted.path ? { path: formatted.path } : {}) };
  };
}

/** Error that a client gets in the place of one that says nothing to it. */
function masked(cause: unknown): GraphQLFormattedError {
  return isDatabaseOutage(cause)
    ? {
        message: 'The service is unavailable for the moment; please try again',
        extensions: { code: 'SERVICE_UNAVAILABLE' },
      }
    : { message: 'Internal server error', extensions: { code: 'INTERNAL_SERVER_ERROR' } };
}
