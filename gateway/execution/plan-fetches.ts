import type { FetchNode, PlanNode, ResponsePath } from '@apollo/query-planner';

/** A fetch of a query plan. */
export interface PlannedFetch {
  readonly node: FetchNode;
  /** Path of its objects. */
  readonly path: ResponsePath;
}

/** Lists the fetches of a plan, in its order: those of both sides of a condition, and of deferred parts. */
export function fetchesOf(plan: PlanNode): readonly PlannedFetch[] {
  const found: PlannedFetch[] = [];
  collect(plan, [], found);
  return found;
}

function collect(node: PlanNode | undefined, path: ResponsePath, found: PlannedFetch[]): void {
  switch (node?.kind) {
    case 'Fetch':
      found.push({ node, path });
      break;
    case 'Sequence':
    case 'Parallel':
      for (const each of node.nodes) collect(each, path, found);
      break;
    case 'Flatten':
      collect(node.node, [...path, ...node.path], found);
      break;
    case 'Condition':
      collect(node.ifClause, path, found);
      collect(node.elseClause, path, found);
      break;
    case 'Defer':
      collect(node.primary.node, path, found);
      for (const each of node.deferred) collect(each.node, path, found);
      break;
    default:
      node satisfies undefined;
  }
}
