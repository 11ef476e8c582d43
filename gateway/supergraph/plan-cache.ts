import { createHash } from 'node:crypto';
import type { QueryPlan, QueryPlanCache } from '@apollo/query-planner';
import { BoundedMap } from '../../platform/bounded-map.ts';

/** Makes a cache of the plans of one graph that forgets those that were not used for the longest. */
export function createPlanCache(maxPlans: number): QueryPlanCache {
  const plans = new BoundedMap<string, QueryPlan>(maxPlans);
  return {
    get(key) {
      const plan = plans.get(key);
      if (plan) {
        plans.delete(key);
        plans.set(key, plan);
      }
      return Promise.resolve(plan);
    },
    set(key, plan) {
      plans.set(key, plan);
      return Promise.resolve();
    },
    delete: key => Promise.resolve(plans.delete(key)),
    clear: () => plans.clear(),
  };
}

/** Key under which Apollo Gateway looks for the plan of an operation. */
export function planKeyOf(queryHash: string, operationName: string | undefined): string {
  return operationName
    ? createHash('sha256').update(queryHash).update(operationName).digest('hex')
    : queryHash;
}
