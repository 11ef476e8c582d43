import type { FetchNode, PlanNode } from '@apollo/query-planner';
import { fetchesOf } from './plan-fetches.ts';

/** Fetches of entities that ask the same of their subgraph at other places of the answer; each by the first of them. */
export type Twins = ReadonlyMap<FetchNode, FetchNode>;

const noTwins: Twins = new Map();

/** Finds the twins of a plan. One with a mutation has none: what is fetched after it may differ from what was before. */
export function twinsOf(plan: PlanNode): Twins {
  const fetches = fetchesOf(plan);
  if (fetches.some(({ node }) => node.operationKind === 'mutation')) return noTwins;
  const groups = new Map<string, FetchNode[]>();
  for (const { node } of fetches) {
    if (!node.requires) continue;
    const key = keyOf(node);
    const group = groups.get(key);
    if (group) group.push(node);
    else groups.set(key, [node]);
  }
  const twins = new Map<FetchNode, FetchNode>();
  for (const group of groups.values())
    if (group.length > 1) for (const node of group) twins.set(node, group[0] as FetchNode);
  return twins;
}

/** Two fetches are twins when these are equal. The planner gives each operation a name of its own. */
function keyOf({ serviceName, operation, operationName = '', outputRewrites = [] }: FetchNode): string {
  return JSON.stringify([serviceName, operation.replace(operationName, ''), outputRewrites]);
}
