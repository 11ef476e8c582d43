import type { FetchNode, PlanNode, ResponsePath } from '@apollo/query-planner';
import { type FieldTree, fetchedFieldsOf } from './fetched-fields.ts';

/** Places of a plan's answers at which more than one fetch writes an object, as keys of `pathsOf`. */
export type Overlaps = ReadonlySet<string>;

/** Finds them. Elsewhere the places of one fetch may share what is in an answer: nothing will tell them apart. */
export function overlapsOf(plan: PlanNode): Overlaps {
  const seen = new Set<string>();
  const overlaps = new Set<string>();
  collect(plan, [], path => {
    if (seen.has(path)) overlaps.add(path);
    else seen.add(path);
  });
  return overlaps;
}

/** Tells if the answer of a fetch is merged with that of another somewhere below its places. */
export function isOverlapping(node: FetchNode, path: ResponsePath, overlaps: Overlaps): boolean {
  return overlaps.size > 0 && pathsOf(node, path).some(each => overlaps.has(each));
}

function collect(node: PlanNode | undefined, path: ResponsePath, found: (path: string) => void): void {
  switch (node?.kind) {
    case 'Fetch':
      for (const each of pathsOf(node, path)) found(each);
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
  }
}

/** Paths of the objects that a fetch writes, without indices of lists. */
function pathsOf(node: FetchNode, path: ResponsePath): string[] {
  const paths: string[] = [];
  const grow = (fields: FieldTree, above: string): void => {
    for (const [name, below] of fields) {
      if (below.size === 0) continue;
      paths.push(`${above}.${name}`);
      grow(below, `${above}.${name}`);
    }
  };
  grow(fetchedFieldsOf(node), path.filter(key => key !== '@').join('.'));
  return paths;
}
