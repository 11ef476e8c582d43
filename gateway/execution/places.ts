import type { ResponsePath } from '@apollo/query-planner';
import { type DataObject, isDataObject, ownField } from './data.ts';

/** A path in the client's answer, from its end to its root: names that the client gave, and indices. */
export interface ClientPath {
  readonly parent: ClientPath | undefined;
  readonly key: string | number;
}

/** An object of the tree and its path; the root has none. */
export interface Place {
  readonly object: DataObject;
  readonly path: ClientPath | undefined;
}

/** The path from the root on, as GraphQL writes it. */
export function pathToArray(path: ClientPath | undefined): (string | number)[] {
  const keys: (string | number)[] = [];
  for (let each = path; each; each = each.parent) keys.push(each.key);
  return keys.reverse();
}

/** Finds the objects at a path of the query plan, in which `@` stands for each item of a list. Nulls have no place. */
export function placesAt(places: readonly Place[], path: ResponsePath): Place[] {
  const found: Place[] = [];
  for (const { object, path: start } of places) collect(object, start, path, 0, found);
  return found;
}

function collect(
  value: unknown,
  at: ClientPath | undefined,
  path: ResponsePath,
  depth: number,
  found: Place[],
): void {
  if (Array.isArray(value)) {
    const next = path[depth] === '@' ? depth + 1 : depth;
    value.forEach((item, index) => {
      collect(item, { parent: at, key: index }, path, next, found);
    });
  } else if (isDataObject(value)) {
    const key = path[depth];
    if (key === undefined) found.push({ object: value, path: at });
    else collect(ownField(value, String(key)), { parent: at, key }, path, depth + 1, found);
  }
}
