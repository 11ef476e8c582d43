import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import type { Caller } from '../../platform/caller.ts';

const rule = z.union([
  z.boolean(),
  z.strictObject({
    /** Scopes of which all in one list are enough. */
    scopes: z.array(z.array(z.string())).optional(),
    /** Ids of customers. */
    callers: z.array(z.string()).optional(),
  }),
]);
const rules = z.record(z.string(), rule);

/** Rule of one policy: for everybody or nobody, or for callers with scopes or an id of a list. */
export type PolicyRule = z.infer<typeof rule>;

/** Rules by the names of the policies. */
export type PolicyRules = Readonly<Record<string, PolicyRule>>;

/** Reads rules from a file of JSON. @throws Error that names the file, and what is wrong in it */
export async function readPolicyRules(file: string): Promise<PolicyRules> {
  let parsed: z.ZodSafeParseResult<PolicyRules>;
  try {
    parsed = rules.safeParse(JSON.parse(await readFile(file, 'utf8')));
  } catch (cause) {
    throw new Error(`The rules of policies in ${file} can't be read: ${(cause as Error).message}`, { cause });
  }
  if (parsed.success) return parsed.data;
  throw new Error(`The rules of policies in ${file} are not valid: ${z.prettifyError(parsed.error)}`);
}

/** Decides a policy. One without a rule is granted to nobody. */
export function decidePolicy(policy: PolicyRule | undefined, caller: Caller | undefined): boolean {
  if (policy === undefined || typeof policy === 'boolean') return policy ?? false;
  if (!caller) return false;
  const { scopes = [], callers = [] } = policy;
  return (
    callers.includes(caller.id) || scopes.some(each => each.every(scope => caller.scopes.includes(scope)))
  );
}
