import type { FetchDataRewrite } from '@apollo/query-planner';
import type { GraphQLSchema } from 'graphql';
import { type DataObject, isDataObject, ownField, setField } from './data.ts';
import { isOfType } from './types.ts';

const fragmentPrefix = '... on ';

/** Applies the planner's rewrites to a representation, or to what a subgraph answered, in place. */
export function applyRewrites(
  schema: GraphQLSchema,
  rewrites: readonly FetchDataRewrite[],
  value: unknown,
): void {
  for (const rewrite of rewrites) applyAt(schema, rewrite, value, 0);
}

function applyAt(schema: GraphQLSchema, rewrite: FetchDataRewrite, value: unknown, depth: number): void {
  if (Array.isArray(value)) for (const item of value) applyAt(schema, rewrite, item, depth);
  if (!isDataObject(value)) return;
  const step = rewrite.path[depth];
  if (step === undefined) return;
  if (step.startsWith(fragmentPrefix)) {
    const condition = step.slice(fragmentPrefix.length);
    if (isOfType({ schema, object: value, condition, ifUnknown: true }))
      applyAt(schema, rewrite, value, depth + 1);
  } else if (depth === rewrite.path.length - 1) rewriteField(rewrite, value, step);
  else applyAt(schema, rewrite, ownField(value, step), depth + 1);
}

function rewriteField(rewrite: FetchDataRewrite, object: DataObject, name: string): void {
  if (rewrite.kind === 'ValueSetter') setField(object, name, rewrite.setValueTo);
  else if (Object.hasOwn(object, name)) {
    setField(object, rewrite.renameKeyTo, object[name]);
    delete object[name];
  }
}

/** Gives a subgraph's error path the names that the answer's fields have after the rewrites. */
export function rewritePath(
  rewrites: readonly FetchDataRewrite[],
  path: readonly (string | number)[],
): (string | number)[] {
  const renamed = [...path];
  for (const rewrite of rewrites) {
    if (rewrite.kind !== 'KeyRenamer') continue;
    const names = rewrite.path.filter(step => !step.startsWith(fragmentPrefix));
    const at = lastKeyOf(path, names);
    if (at !== undefined) renamed[at] = rewrite.renameKeyTo;
  }
  return renamed;
}

/** Index in a path, which has indices of lists, at which the last of these names stands. */
function lastKeyOf(path: readonly (string | number)[], names: readonly string[]): number | undefined {
  let matched = 0;
  for (const [index, key] of path.entries()) {
    if (typeof key === 'number') continue;
    if (key !== names[matched]) return undefined;
    matched += 1;
    if (matched === names.length) return index;
  }
  return undefined;
}
