import type { FetchNode, QueryPlanSelectionNode } from '@apollo/query-planner';
import { type GraphQLFormattedError, isObjectType } from 'graphql';
import { copyOf, type DataObject, isDataObject } from './data.ts';
import {
  type EntitiesAnswer,
  type RequestedEntities,
  requestEntities,
  sortErrors,
} from './entity-requests.ts';
import type { Failure } from './failures.ts';
import { fetchedFieldsOf } from './fetched-fields.ts';
import { isSettled } from './overlaps.ts';
import { addAtPlaces, addGap, addGaps, fill, findPlaces } from './place-answer.ts';
import { objectsAt } from './places.ts';
import {
  compileRepresentations,
  type RepresentationCollector,
  type Representations,
} from './representations.ts';
import { applyRewrites } from './rewrites.ts';
import type { Run, Step, StepContext } from './run.ts';
import { type CompiledFetch, sendFetch } from './send-fetch.ts';

/** A fetch of entities. */
interface EntityFetch extends CompiledFetch {
  readonly collect: () => RepresentationCollector;
  /** Key of its path in `run.entities`; undefined when its objects may become others. */
  readonly settledPath: string | undefined;
  /** The first of its twins; undefined when it has none. */
  readonly twin: FetchNode | undefined;
  /** True if an entity of a twin has objects within, which each place has to have for itself. */
  readonly isNested: boolean;
}

/** Compiles a fetch of entities. */
export function compileEntityFetch(
  fetch: CompiledFetch,
  requires: readonly QueryPlanSelectionNode[],
  { twins, overlaps }: StepContext,
): Step {
  const { schema, node, path } = fetch;
  const { inputRewrites = [] } = node;
  const twin = twins.get(node);
  const entityFetch = {
    ...fetch,
    collect: compileRepresentations({ schema, requires, inputRewrites }),
    settledPath: isSettled(path, overlaps) ? path.join('.') : undefined,
    twin,
    isNested: twin !== undefined && [...fetchedFieldsOf(node).values()].some(below => below.size > 0),
  };
  return run => fetchEntities(entityFetch, run, collect(entityFetch, run));
}

/**
 * Collects the representations of the fetch's objects. Where nothing can tell them apart any more, objects that are equal
 * become one: many places have few entities.
 */
function collect({ collect, path, settledPath }: EntityFetch, run: Run): Representations {
  const collector = collect();
  if (settledPath === undefined) {
    for (const object of objectsAt(run.root, path)) collector.add(object, undefined);
    return collector.found;
  }
  const known = run.entities.objectsAt(settledPath);
  if (known) {
    for (const object of known) collector.add(object, undefined);
    return collector.found;
  }
  const { failures, deferral, entities } = run;
  // Deferred fragments and failures know the objects that they are on.
  const united = deferral || failures.any ? undefined : entities;
  const found = objectsAt(run.root, path, object => collector.add(object, united));
  if (found.length > 0) entities.remember(settledPath, found);
  return collector.found;
}

async function fetchEntities(fetch: EntityFetch, run: Run, representations: Representations): Promise<void> {
  handleIncomplete(fetch, run, representations.incomplete);
  if (representations.texts.length === 0) return;
  const requests = request(fetch, run, representations);
  const answers = await Promise.all(requests.map(({ answer }) => answer));
  for (const [index, answer] of answers.entries())
    placeEntities(fetch, run, requests[index]?.objects ?? [], answer);
}

/** Asks for the entities that no twin has asked for. */
function request(fetch: EntityFetch, run: Run, wanted: Representations): readonly RequestedEntities[] {
  const { twin } = fetch;
  const send = (texts: readonly string[], types: readonly string[]) => sendEntities(fetch, run, texts, types);
  if (!twin) return [requestEntities(wanted, send)];
  return run.entities.loaderOf(twin).load(wanted, send);
}

/** Sends a request for entities, and reads what came. */
async function sendEntities(
  fetch: EntityFetch,
  run: Run,
  texts: readonly string[],
  types: readonly string[],
): Promise<EntitiesAnswer> {
  const { schema, node } = fetch;
  const { data, errors } = await sendFetch(fetch, run, texts);
  const given = data?.['_entities'];
  const entities = Array.isArray(given) && given.length === texts.length ? given : undefined;
  for (const [index, entity] of entities?.entries() ?? []) {
    if (!isDataObject(entity)) continue;
    // The rewrites go by the type, which an answer need not repeat.
    entity['__typename'] ??= types[index];
    if (node.outputRewrites) applyRewrites(schema, node.outputRewrites, entity);
    // A subgraph that has an interface as an object knows less of the type than the object.
    const type = entity['__typename'];
    if (typeof type !== 'string' || !isObjectType(schema.getType(type))) delete entity['__typename'];
  }
  const { errorsByIndex, others } = sortErrors(errors, texts.length);
  const failures = others.map(error => run.failures.fail(node.serviceName, error));
  if (entities) return { entities, errorsByIndex, causes: failures };
  const told =
    errors.length > 0 ? 'told' : run.failures.fail(node.serviceName, wrongEntities(given, texts.length));
  return { entities, errorsByIndex, causes: [told, ...failures] };
}

/** Gives each object its entity, or the reason why it has none. */
function placeEntities(
  fetch: EntityFetch,
  run: Run,
  objects: RequestedEntities['objects'],
  { entities, errorsByIndex, causes }: EntitiesAnswer,
): void {
  if (errorsByIndex.size > 0) addEntityErrors(fetch, run, objects, errorsByIndex);
  if (causes.length > 0)
    addGaps(
      fetch,
      run,
      objects.flatMap(its => its ?? []),
      causes,
    );
  if (!entities) return;
  for (let index = 0; index < objects.length; index += 1) {
    const its = objects[index];
    if (!its) continue;
    const entity = entities[index];
    if (isDataObject(entity)) fill(fetch, its, fetch.isNested ? copyOf(entity) : entity);
    else addGap(fetch, run, its, errorsByIndex.has(index) ? 'told' : 'not-found');
  }
}

function addEntityErrors(
  fetch: EntityFetch,
  run: Run,
  objects: RequestedEntities['objects'],
  errorsByIndex: EntitiesAnswer['errorsByIndex'],
): void {
  const concerned = [...errorsByIndex.keys()].flatMap(index => objects[index] ?? []);
  const placesByObject = findPlaces(fetch, run, concerned);
  for (const [index, errors] of errorsByIndex) {
    const its = objects[index];
    for (const { error, below } of its ? errors : [])
      addAtPlaces(fetch, run, { error, objects: its ?? [], below, placesByObject });
  }
}

/** Fields that are missing for a failure stay so; others may come with a later fetch. */
function handleIncomplete(fetch: EntityFetch, run: Run, objects: readonly DataObject[]): void {
  const waiting = objects.filter(object => {
    const gaps = run.failures.gapsOf(object);
    for (const cause of new Set(gaps.map(gap => gap.cause))) addGap(fetch, run, [object], cause);
    return gaps.length === 0;
  });
  if (waiting.length === 0) return;
  run.postponed.push({
    objects: waiting,
    fetch() {
      const collector = fetch.collect();
      for (const object of waiting) collector.add(object, undefined);
      return fetchEntities(fetch, run, collector.found);
    },
    giveUp: () => addGap(fetch, run, waiting, run.failures.any ? 'told' : missingKey(fetch, run)),
  });
}

function missingKey({ node }: CompiledFetch, run: Run): Failure {
  const message = `The subgraph '${node.serviceName}' could not be asked: a field that it requires has no value`;
  return run.failures.skip(node.serviceName, { message, extensions: { code: 'SUBGRAPH_ERROR' } });
}

/** What is wrong with an answer that has no entity for each representation. */
export function wrongEntities(entities: unknown, expected: number): GraphQLFormattedError {
  const got = Array.isArray(entities)
    ? `${entities.length} entities`
    : `no list of entities (${typeof entities})`;
  return {
    message: `The subgraph returned ${got} where ${expected} were asked for`,
    extensions: { code: 'SUBGRAPH_ERROR' },
  };
}
