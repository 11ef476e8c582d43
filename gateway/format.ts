import { type ExecutionResult, GraphQLError, type GraphQLFormattedError } from 'graphql';

/** Makes an error what a client may see. */
export type FormatError = (formatted: GraphQLFormattedError, error: unknown) => GraphQLFormattedError;

/** A result as clients get it. */
export function formatResult({ errors, ...rest }: ExecutionResult, formatError: FormatError): object {
  if (!errors) return rest;
  return { ...rest, errors: errors.map(error => formatted(error, formatError)) };
}

/** An error as clients get it. */
export function formatted(error: GraphQLError | GraphQLFormattedError, formatError: FormatError) {
  return formatError(error instanceof GraphQLError ? error.toJSON() : error, error);
}
