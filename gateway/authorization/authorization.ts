import type { Grants } from '../execution/guard.ts';
import type { OperationCaller } from '../security/operation-caller.ts';
import { decidePolicy, type PolicyRules } from './policies.ts';
import type { Requirement, Requirements } from './requirements.ts';

/** Decides what callers may have. */
export interface Authorization {
  grantsOf(requirements: Requirements, caller: OperationCaller): Grants;
}

interface AuthorizationOptions {
  /** Rules of the policies by their names; a policy without a rule is granted to nobody. */
  readonly policies: PolicyRules;
  /** True if an operation with a field that is denied is refused as a whole. */
  readonly rejects: boolean;
}

/** Creates what decides: scopes come from the caller's token, policies from rules. */
export function createAuthorization({ policies, rejects }: AuthorizationOptions): Authorization {
  return {
    grantsOf({ all }, { caller }) {
      const scopes = new Set(caller?.scopes);
      const isGranted = (requirement: Requirement): boolean => {
        switch (requirement.kind) {
          case 'authenticated':
            return caller !== undefined;
          case 'scopes':
            return requirement.anyOf.some(each => each.every(scope => scopes.has(scope)));
          case 'policies':
            return requirement.anyOf.some(each => each.every(name => decidePolicy(policies[name], caller)));
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
    },
  };
}

/** Authorization without rules for policies. */
export const byTokenAlone: Authorization = createAuthorization({ policies: {}, rejects: false });
