import type { FetchNode, PlanNode, ResponsePath } from '@apollo/query-planner';
import { type FieldTree, fetchedFieldsOf } from './fetched-fields.ts';
import { fetchesOf } from './plan-fetches.ts';

/** Places of a plan's answers at which more than one fetch writes an object, as keys of `pathsOf`. */
export type Overlaps = ReadonlySet<string>;

/** Finds them. Elsewhere the places of one fetch may share what is in an answer: nothing will tell them apart. */
export function overlapsOf(plan: PlanNode): Overlaps {
  const seen = new Set<string>();
  const overlaps = new Set<string>();
  const fetches = fetchesOf(plan);
  if (fetches.length < 2) return overlaps;
  for (const { node, path } of fetches)
    for (const each of pathsOf(node, path))
      if (seen.has(each)) overlaps.add(each);
      else seen.add(each);
  return overlaps;
}

/** Tells if the answer of a fetch is merged with that of another somewhere below its places. */
export function isOverlapping(node: FetchNode, path: ResponsePath, overlaps: Overlaps): boolean {
  return overlaps.size > 0 && pathsOf(node, path).some(each => overlaps.has(each));
}

/**
 * Tells if the objects at a path are there for good when the first fetch comes to them: no two fetches write an object of the
 * way to them, nor them.
 */
export function isSettled(path: ResponsePath, overlaps: Overlaps): boolean {
  if (overlaps.size === 0) return true;
  const names = path.filter(key => key !== '@');
  return names.every((_name, depth) => !overlaps.has(names.slice(0, depth + 1).join('.')));
}

/** Paths of the objects that a fetch writes, without indices of lists. */
function pathsOf(node: FetchNode, path: ResponsePath): string[] {
  const paths: string[] = [];
  const grow = (fields: FieldTree, above: string): void => {
    for (const [name, below] of fields) {
      if (below.size === 0) continue;
      const at = above === '' ? name : `${above}.${name}`;
      paths.push(at);
      grow(below, at);
    }
  };
  grow(fetchedFieldsOf(node), path.filter(key => key !== '@').join('.'));
  return paths;
}
