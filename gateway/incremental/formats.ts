import type { ExecutionResult, GraphQLFormattedError } from 'graphql';
import type { DeferredBatch, DeferredResult, IncrementalResult, Pending } from '../execution/incremental.ts';
import { type FormatError, formatResult, formatted } from '../format.ts';

/** Format of the parts of an answer. */
export interface IncrementalFormat {
  /** Parameter of `multipart/mixed` by which a client asks for it. */
  readonly parameter: string;
  first(result: IncrementalResult, formatError: FormatError): object;
  next(batch: DeferredBatch, formatError: FormatError): object;
}

/**
 * The format that Apollo Client, Relay and urql read: each part names its place by its path.
 *
 * @see https://github.com/graphql/graphql-spec/tree/48cf7263a71a683fab03d45d309fd42d8d9a6659/spec
 */
export const byPath: IncrementalFormat = {
  parameter: 'deferSpec=20220824',
  first: ({ initial }, formatError) => ({ ...formatResult(initial, formatError), hasNext: true }),
  next: ({ results, hasNext }, formatError) => ({
    incremental: results.map(result => ({
      data: result.data,
      path: result.path,
      ...(result.label === undefined ? {} : { label: result.label }),
      ...errorsOf(result, formatError),
      ...(result.extensions ? { extensions: result.extensions } : {}),
    })),
    hasNext,
  }),
};

/**
 * The format of the specification's draft: fragments are announced, come, and are completed by an id.
 *
 * @see https://github.com/graphql/graphql-spec/pull/1110
 */
export const byId: IncrementalFormat = {
  parameter: 'incrementalSpec=v0.2',
  first: ({ initial, pending }, formatError) => ({
    ...formatResult(initial, formatError),
    pending: pending.map(announcement),
    hasNext: true,
  }),
  next: ({ results, pending, hasNext }, formatError) => ({
    ...(pending.length > 0 ? { pending: pending.map(announcement) } : {}),
    incremental: results.flatMap(result =>
      result.data === null
        ? []
        : [
            {
              id: result.id,
              data: result.data,
              ...errorsOf(result, formatError),
              ...(result.extensions ? { extensions: result.extensions } : {}),
            },
          ],
    ),
    completed: results.map(result => ({
      id: result.id,
      ...(result.data === null ? errorsOf(result, formatError) : {}),
    })),
    hasNext,
  }),
};

/** Writes an answer part by part. An answer that has one part is written as such. */
export async function* partsOf(
  result: ExecutionResult | IncrementalResult,
  format: IncrementalFormat,
  formatError: FormatError,
): AsyncGenerator<object, void, undefined> {
  if (!('initial' in result)) {
    yield { ...formatResult(result, formatError), hasNext: false };
    return;
  }
  yield format.first(result, formatError);
  for await (const batch of result.batches) yield format.next(batch, formatError);
}

function announcement({ id, label, path }: Pending) {
  return { id, path, ...(label === undefined ? {} : { label }) };
}

function errorsOf(
  { errors }: DeferredResult,
  formatError: FormatError,
): { errors?: GraphQLFormattedError[] } {
  return errors.length > 0 ? { errors: errors.map(error => formatted(error, formatError)) } : {};
}
