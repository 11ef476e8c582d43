import * as z from 'zod';
import { PorticoError } from '../errors.ts';

/** Text that PostgreSQL can hold. */
export const storableText = z.string().regex(/^[^\0]*$/, 'expected no NUL character');

/** Checks an operation's input beyond what its GraphQL type says. @throws PorticoError BAD_USER_INPUT, naming each fault */
export function parseInput<T>(schema: z.ZodType<T>, input: unknown): T {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw new PorticoError('BAD_USER_INPUT', z.prettifyError(parsed.error), {
    details: { fields: parsed.error.issues.map(issue => issue.path.join('.')) },
    cause: parsed.error,
  });
}
