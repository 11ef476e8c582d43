import * as z from 'zod';

const answerSchema = z.object({
  data: z.record(z.string(), z.unknown()).nullish(),
  // Many servers write `errors: null` when there are none.
  errors: z.array(z.looseObject({ message: z.string() })).nullish(),
  extensions: z.record(z.string(), z.unknown()).nullish(),
});

/** Answer of a GraphQL server: https://spec.graphql.org/October2021/#sec-Response-Format */
export interface GraphqlAnswer {
  readonly data?: Record<string, unknown> | null;
  readonly errors?: readonly ({ readonly message: string } & Record<string, unknown>)[];
  readonly extensions?: Record<string, unknown>;
}

/**
 * Reads a GraphQL server's answer, whatever the HTTP status that it came with.
 *
 * @throws Error when it is none, or has neither data nor errors
 */
export function readGraphqlAnswer(text: string): GraphqlAnswer {
  const { data, errors, extensions } = answerSchema.parse(JSON.parse(text));
  if (!data && !errors?.length) throw new Error('it has neither data nor errors');
  return {
    ...(data === undefined ? {} : { data }),
    ...(errors?.length ? { errors } : {}),
    ...(extensions ? { extensions } : {}),
  };
}

/**
 * Tells if an answer says that the server is unwell: a framework that tells of its own fault with a status of 500 or
 * above may well write a list of errors.
 */
export function isServerFault(status: number, { data }: GraphqlAnswer): boolean {
  return status >= 500 && !data;
}
