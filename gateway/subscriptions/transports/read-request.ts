import type { FastifyRequest } from 'fastify';
import { GraphQLError } from 'graphql';
import * as z from 'zod';
import { type OperationRequest, RefusedOperation } from '../operation.ts';

const variablesSchema = z.record(z.string(), z.unknown()).nullish();
const requestSchema = z.object({
  query: z.string(),
  operationName: z.string().nullish(),
  variables: variablesSchema,
});
/** In a URL, variables are JSON. */
const urlSchema = requestSchema.extend({
  variables: z
    .string()
    .transform((text, context) => {
      try {
        return JSON.parse(text) as unknown;
      } catch {
        context.addIssue({ code: 'custom', message: 'expected JSON' });
        return z.NEVER;
      }
    })
    .pipe(variablesSchema)
    .optional(),
});

/** Reads the operation of a request. @throws RefusedOperation when it is none */
export function readRequest({ method, query, body }: FastifyRequest): OperationRequest {
  const parsed = method === 'GET' ? urlSchema.safeParse(query) : requestSchema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new RefusedOperation([
    new GraphQLError(`The request is not valid. ${z.prettifyError(parsed.error)}`, {
      extensions: { code: 'BAD_USER_INPUT' },
    }),
  ]);
}
