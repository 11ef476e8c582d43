import type { FetchNode } from '@apollo/query-planner';
import type { DataObject } from './data.ts';
import { compileEntityFetch } from './entity-step.ts';
import type { Failure } from './failures.ts';
import { isOverlapping } from './overlaps.ts';
import { addAtPlaces, addGap, addGaps, fill, findPlaces } from './place-answer.ts';
import { objectsAt } from './places.ts';
import { applyRewrites } from './rewrites.ts';
import type { Run, Step, StepContext } from './run.ts';
import { bodyPrefixOf, type CompiledFetch, sendFetch } from './send-fetch.ts';

/** Compiles a fetch: of root fields, or of entities when it requires representations. */
export function compileFetch(node: FetchNode, context: StepContext): Step {
  const { schema, path, overlaps } = context;
  const fetch: CompiledFetch = {
    node,
    schema,
    path,
    isCopied: isOverlapping(node, path, overlaps),
    isMutation: node.operationKind === 'mutation',
    bodyPrefix: bodyPrefixOf(node),
  };
  if (node.requires) return thenTold(node, compileEntityFetch(fetch, node.requires, context));
  return thenTold(node, run => fetchFields(fetch, run, objectsAt(run.root, path)));
}

/** Tells of a fetch that deferred blocks wait for that it is done. */
function thenTold({ id }: FetchNode, step: Step): Step {
  if (id === undefined) return step;
  return async run => {
    await step(run);
    run.deferral?.fetched(id);
  };
}

async function fetchFields(fetch: CompiledFetch, run: Run, objects: readonly DataObject[]): Promise<void> {
  if (objects.length === 0) return;
  const { data, errors } = await sendFetch(fetch, run, undefined);
  if (data) {
    applyRewrites(fetch.schema, fetch.node.outputRewrites ?? [], data);
    fill(fetch, objects, data);
  }
  const failures: Failure[] = [];
  let placesByObject: ReturnType<typeof findPlaces> | undefined;
  for (const error of errors)
    if (error.path?.length) {
      placesByObject ??= findPlaces(fetch, run, objects);
      addAtPlaces(fetch, run, { error, objects, below: error.path, placesByObject });
    } else failures.push(run.failures.fail(fetch.node.serviceName, error));

  addGaps(fetch, run, objects, failures);
  if (!data && failures.length === 0) addGap(fetch, run, objects, 'told');
}
