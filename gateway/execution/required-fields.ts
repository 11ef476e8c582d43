import type { PlanNode, QueryPlanSelectionNode } from '@apollo/query-planner';

/** Names of the fields that some fetch of a plan gives to its subgraph. The client may not have asked for them. */
export function requiredFieldsOf(plan: PlanNode): ReadonlySet<string> {
  const names = new Set<string>();
  collectFromNode(plan, names);
  return names;
}

function collectFromNode(node: PlanNode | undefined, names: Set<string>): void {
  if (!node) return;
  switch (node.kind) {
    case 'Fetch':
      collectFromSelections(node.requires, names);
      break;
    case 'Sequence':
    case 'Parallel':
      for (const each of node.nodes) collectFromNode(each, names);
      break;
    case 'Flatten':
      collectFromNode(node.node, names);
      break;
    case 'Condition':
      collectFromNode(node.ifClause, names);
      collectFromNode(node.elseClause, names);
      break;
    case 'Defer':
      collectFromNode(node.primary.node, names);
      for (const each of node.deferred) collectFromNode(each.node, names);
      break;
    default:
      node satisfies never;
  }
}

function collectFromSelections(
  selections: readonly QueryPlanSelectionNode[] | undefined,
  names: Set<string>,
): void {
  for (const selection of selections ?? []) {
    if (selection.kind === 'Field') names.add(selection.alias ?? selection.name);
    collectFromSelections(selection.selections, names);
  }
}
