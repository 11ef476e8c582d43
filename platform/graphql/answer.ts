import * as z from 'zod';

const answerSchema = z.object({
  data: z.record(z.string(), z.unknown()).nullish(),
  errors: z.array(z.looseObject({ message: z.string() })).optional(),
  extensions: z.record(z.string(), z.unknown()).optional(),
});

/** What a GraphQL server answers: https://spec.graphql.org/October2021/#sec-Response-Format */
export type GraphqlAnswer = z.infer<typeof answerSchema>;

/**
 * Reads a GraphQL server's answer over HTTP.
 *
 * @throws Error when it is none. A status of 500 or above needs data: a framework that tells of its own fault may well
 *   write a JSON object, or even a list of errors
 */
export function readGraphqlAnswer(status: number, text: string): GraphqlAnswer {
  try {
    const answer = answerSchema.parse(JSON.parse(text));
    const { data, errors = [] } = answer;
    if (data || (errors.length > 0 && status < 500)) return answer;
    throw new Error(errors[0]?.message ?? 'it has neither data nor errors');
  } catch (cause) {
    throw new Error(`expected a GraphQL result, but got an answer with status ${status}`, { cause });
  }
}
