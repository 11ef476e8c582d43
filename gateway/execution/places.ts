import type { ResponsePath } from '@apollo/query-planner';
import { type DataObject, isDataObject, ownField, setField } from './data.ts';

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

/** Takes an object that was found. @returns the object that is to stand there */
export type VisitObject = (object: DataObject) => DataObject;

/**
 * Finds the objects at a path of the query plan, in which `@` stands for each item of a list. An object that stands at
 * several places is found once; nulls have no object.
 *
 * @param visit may put an object that was found before in the place of each
 * @returns those that stand there then
 */
export function objectsAt(root: DataObject, path: ResponsePath, visit: VisitObject = same): DataObject[] {
  const search = { path, visit, seen: new Set<object>(), found: [] };
  find(root, 0, search);
  return search.found;
}

const same: VisitObject = object => object;

interface Search {
  readonly path: ResponsePath;
  readonly visit: VisitObject;
  readonly seen: Set<object>;
  readonly found: DataObject[];
}

/** Goes into a value. @returns the object that is to stand in its place; otherwise the value */
function find(value: unknown, depth: number, search: Search): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const { path, visit, seen, found } = search;
  if (Array.isArray(value)) {
    if (isKnown(value, seen)) return value;
    const next = path[depth] === '@' ? depth + 1 : depth;
    for (let index = 0; index < value.length; index += 1) {
      const item: unknown = value[index];
      const placed = find(item, next, search);
      if (placed !== item) value[index] = placed;
    }
    return value;
  }
  const object = value as DataObject;
  const key = path[depth];
  if (key !== undefined) {
    const below = ownField(object, String(key));
    const placed = find(below, depth + 1, search);
    if (placed !== below) setField(object, String(key), placed);
    return object;
  }
  if (seen.has(object)) return object;
  const placed = visit(object);
  if (!isKnown(placed, seen)) found.push(placed);
  return placed;
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
