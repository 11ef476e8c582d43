import type { PlanNode, QueryPlanSelectionNode } from '@apollo/query-planner';
import { fetchesOf } from './plan-fetches.ts';

/** Names of the fields that some fetch of a plan gives to its subgraph. The client may not have asked for them. */
export function requiredFieldsOf(plan: PlanNode): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { node } of fetchesOf(plan)) collect(node.requires, names);
  return names;
}

function collect(selections: readonly QueryPlanSelectionNode[] | undefined, names: Set<string>): void {
  for (const selection of selections ?? []) {
    if (selection.kind === 'Field') names.add(selection.alias ?? selection.name);
    collect(selection.selections, names);
  }
}
