import type { GraphQLFormattedError } from 'graphql';
import { copyOf, type DataObject, mergeInto } from './data.ts';
import type { Gap } from './failures.ts';
import { fetchedFieldsOf } from './fetched-fields.ts';
import { pathToArray, placesOf } from './places.ts';
import { clientNameOf } from './required-arguments.ts';
import { rewritePath } from './rewrites.ts';
import type { Run } from './run.ts';
import type { CompiledFetch } from './send-fetch.ts';

/** Merges an answer into each object. */
export function fill({ isCopied }: CompiledFetch, objects: readonly DataObject[], data: DataObject): void {
  let given = data;
  for (const object of objects) {
    mergeInto(object, given);
    if (isCopied) given = copyOf(data);
  }
}

interface PlacedError {
  readonly error: GraphQLFormattedError;
  readonly objects: readonly DataObject[];
  /** Path of the error below each object, with the names that the subgraph was given. */
  readonly below: readonly (string | number)[];
}

export function addAtPlaces(
  { node, path }: CompiledFetch,
  run: Run,
  { error, objects, below }: PlacedError,
): void {
  const renamed = rewritePath(node.outputRewrites ?? [], below);
  for (const place of placesOf(run.root, path, new Set(objects)))
    run.failures.addSubgraphError(
      node.serviceName,
      error,
      [...pathToArray(place.path), ...renamed].map(clientNameOf),
    );
}

export function addGap(
  fetch: CompiledFetch,
  run: Run,
  objects: readonly DataObject[],
  cause: Gap['cause'],
): void {
  for (const object of objects) run.failures.addGap(object, { fields: fetchedFieldsOf(fetch.node), cause });
}

/** Errors of one fetch that are told at each field that it left null. */
const maxCauses = 20;

export function addGaps(
  fetch: CompiledFetch,
  run: Run,
  objects: readonly DataObject[],
  causes: readonly Gap['cause'][],
): void {
  // A field is null for a few reasons; the others are told without one.
  for (const cause of causes.slice(0, maxCauses)) addGap(fetch, run, objects, cause);
}
