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

/**
 * Finds the objects at a path of the query plan, in which `@` stands for each item of a list. An object that stands at
 * several places is found once; nulls have no object.
 */
export function objectsAt(root: DataObject, path: ResponsePath): DataObject[] {
  const found: DataObject[] = [];
  find(root, path, 0, new Set(), found);
  return found;
}

function find(
  value: unknown,
  path: ResponsePath,
  depth: number,
  seen: Set<object>,
  found: DataObject[],
): void {
  if (Array.isArray(value)) {
    if (isKnown(value, seen)) return;
    const next = path[depth] === '@' ? depth + 1 : depth;
    for (let index = 0; index < value.length; index += 1) find(value[index], path, next, seen, found);
  } else if (typeof value === 'object' && value !== null) {
    const key = path[depth];
    if (key !== undefined) find(ownField(value as DataObject, String(key)), path, depth + 1, seen, found);
    else if (!isKnown(value, seen)) found.push(value as DataObject);
  }
}

function isKnown(value: object, seen: Set<object>): boolean {
  if (seen.has(value)) return true;
  seen.add(value);
  return false;
}

/** Finds the places of some objects at a path of the query plan. It is only needed for an error. */
export function placesOf(root: DataObject, path: ResponsePath, objects: ReadonlySet<DataObject>): Place[] {
  const found: Place[] = [];
  collect(root, undefined, path, 0, found);
  return found.filter(({ object }) => objects.has(object));
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
