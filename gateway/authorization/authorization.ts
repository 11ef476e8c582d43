import type { Grants } from '../execution/guard.ts';
import type { OperationCaller } from '../security/operation-caller.ts';
import { type PolicySource, policiesByRules } from './policies.ts';
import type { Requirement, Requirements } from './requirements.ts';

/** Decides what callers may have. */
export interface Authorization {
  /** Makes the function that tells what callers may have of one graph. */
  grantsFor(requirements: Requirements): (caller: OperationCaller) => Grants;
  /** Makes sure that the decisions on a caller's policies are there. Await it before an operation runs. */
  prepare(caller: OperationCaller): Promise<void>;
}

interface AuthorizationOptions {
  readonly policies: PolicySource;
  /** True if an operation with a field that is denied is refused as a whole. */
  readonly rejects: boolean;
}

/** Creates what decides: scopes come from the caller's token, policies from a file of rules or a webhook. */
export function createAuthorization({ policies, rejects }: AuthorizationOptions): Authorization {
  function decide({ all }: Requirements, operationCaller: OperationCaller): Grants {
    const { caller } = operationCaller;
    const scopes = new Set(caller?.scopes);
    const isGranted = (requirement: Requirement): boolean => {
      switch (requirement.kind) {
        case 'authenticated':
          return caller !== undefined;
        case 'scopes':
          return requirement.anyOf.some(each => each.every(scope => scopes.has(scope)));
        case 'policies':
          return requirement.anyOf.some(each => each.every(name => policies.decide(name, operationCaller)));
        default:
          return requirement satisfies never;
      }
    };
    const granted = all.map(isGranted);
    return {
      isGranted: id => granted[id] ?? false,
      key: granted.map(Number).join(''),
      deniedCode: caller ? 'FORBIDDEN' : 'UNAUTHENTICATED',
      rejects,
    };
  }

  return {
    grantsFor(requirements) {
      policies.expect(policyNamesOf(requirements));
      /** Decided once for each caller that the gateway remembers, and again when the policies' decision is another. */
      const known = new WeakMap<OperationCaller, { readonly decision: object; readonly grants: Grants }>();
      return caller => {
        const decision = policies.decisionOn(caller);
        const found = known.get(caller);
        if (found?.decision === decision) return found.grants;
        const grants = decide(requirements, caller);
        known.set(caller, { decision, grants });
        return grants;
      };
    },
    prepare: caller => policies.prepare(caller),
  };
}

function policyNamesOf({ all }: Requirements): string[] {
  return all.flatMap(requirement => (requirement.kind === 'policies' ? requirement.anyOf.flat() : []));
}

/** Authorization without rules for policies. */
export const byTokenAlone: Authorization = createAuthorization({
  policies: policiesByRules({}),
  rejects: false,
});
