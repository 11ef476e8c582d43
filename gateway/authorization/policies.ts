import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import type { Caller } from '../../platform/caller.ts';
import type { OperationCaller } from '../security/operation-caller.ts';

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

/** Decides policies. */
export interface PolicySource {
  /** Notes the names of policies that are going to be decided. */
  expect(names: readonly string[]): void;
  /** The decision on a caller's policies, as far as it is there; the same object while it is the same. */
  decisionOn(caller: OperationCaller): object;
  /** Decides one policy by that decision. */
  decide(name: string, caller: OperationCaller): boolean;
  /** Makes sure that the decision on a caller is there. */
  prepare(caller: OperationCaller): Promise<void>;
}

const decided = Promise.resolve();

/** Decides policies by rules. One without a rule is granted to nobody. */
export function policiesByRules(rules: PolicyRules): PolicySource {
  return {
    expect() {},
    decisionOn: () => rules,
    decide: (name, { caller }) => isGranted(rules[name], caller),
    prepare: () => decided,
  };
}

function isGranted(policy: PolicyRule | undefined, caller: Caller | undefined): boolean {
  if (policy === undefined || typeof policy === 'boolean') return policy ?? false;
  if (!caller) return false;
  const { scopes = [], callers = [] } = policy;
  return (
    callers.includes(caller.id) || scopes.some(each => each.every(scope => caller.scopes.includes(scope)))
  );
}
