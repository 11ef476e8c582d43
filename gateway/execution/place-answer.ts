import type { GraphQLFormattedError } from 'graphql';
import { copyOf, type DataObject, mergeInto } from './data.ts';
import type { Gap } from './failures.ts';
import { fetchedFieldsOf } from './fetched-fields.ts';
import { type ClientPath, pathToArray, placesOf } from './places.ts';
import { clientNameOf } from './required-arguments.ts';
import { rewritePath } from './rewrites.ts';
import type { Run } from './run.ts';
import type { CompiledFetch } from './send-fetch.ts';

/** Merges an answer into each object. */
export function fill({ isCopied }: CompiledFetch, objects: readonly DataObject[], data: DataObject): void {
  const last = objects.length - 1;
  for (const [index, object] of objects.entries())
    mergeInto(object, isCopied && index < last ? copyOf(data) : data);
}

/** Places of objects in the client's answer. */
type PlacesByObject = ReadonlyMap<DataObject, readonly (ClientPath | undefined)[]>;

interface PlacedError {
  readonly error: GraphQLFormattedError;
  readonly objects: readonly DataObject[];
  /** Path of the error below each object, with the names that the subgraph was given. */
  readonly below: readonly (string | number)[];
  readonly placesByObject: PlacesByObject;
}

/** Finds the places of objects of a fetch, for all its errors. */
export function findPlaces(
  { path }: CompiledFetch,
  { root }: Run,
  objects: readonly DataObject[],
): PlacesByObject {
  const places = new Map<DataObject, (ClientPath | undefined)[]>();
  for (const place of placesOf(root, path, new Set(objects))) {
    const known = places.get(place.object);
    if (known) known.push(place.path);
    else places.set(place.object, [place.path]);
  }
  return places;
}

/** Adds an error at each place of its objects, as long as there is room for errors. */
export function addAtPlaces(
  fetch: CompiledFetch,
  run: Run,
  { error, objects, below, placesByObject }: PlacedError,
): void {
  const { node } = fetch;
  const { failures } = run;
  const renamed = rewritePath(node.outputRewrites ?? [], below);
  for (const object of objects) {
    const places = placesByObject.get(object) ?? [];
    for (const [index, place] of places.entries()) {
      if (failures.isFull) {
        failures.omit(places.length - index);
        addGap(fetch, run, [object], 'told');
        break;
      }
      const path = [...pathToArray(place), ...renamed].map(clientNameOf);
      failures.addSubgraphError(node.serviceName, error, path);
    }
  }
}

/** Notes why the fields of a fetch are missing in objects. */
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

/** Notes several reasons why the fields of a fetch may be missing in objects. */
export function addGaps(
  fetch: CompiledFetch,
  run: Run,
  objects: readonly DataObject[],
  causes: readonly Gap['cause'][],
): void {
  // A field is null for a few reasons; the others are told without one.
  for (const cause of causes.slice(0, maxCauses)) addGap(fetch, run, objects, cause);
}
