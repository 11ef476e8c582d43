import type { FetchNode, ResponsePath } from '@apollo/query-planner';
import { type GraphQLFormattedError, type GraphQLSchema, isObjectType } from 'graphql';
import { copyOf, type DataObject, isDataObject, mergeInto } from './data.ts';
import type { Failure, Gap } from './failures.ts';
import { type FieldTree, fetchedFieldsOf } from './fetched-fields.ts';
import { quote, toJson } from './json.ts';
import { isOverlapping } from './overlaps.ts';
import { objectsAt, pathToArray, placesOf } from './places.ts';
import {
  compileRepresentations,
  type Representations,
  type SelectRepresentations,
} from './representations.ts';
import { clientNameOf } from './required-arguments.ts';
import { applyRewrites, rewritePath } from './rewrites.ts';
import type { Run, Step, StepContext } from './run.ts';
import type { SubgraphAnswer } from './subgraph-answer.ts';

/** A fetch and what it needs for each of its runs. */
interface CompiledFetch {
  readonly node: FetchNode;
  readonly schema: GraphQLSchema;
  /** Path of its objects. */
  readonly path: ResponsePath;
  /** Fields that it adds to each object. */
  readonly fields: () => FieldTree;
  /** True if each object gets a copy of the answer, because another fetch changes it below. */
  readonly isCopied: boolean;
  readonly isMutation: boolean;
  /** The request's body as far as all its runs have the same: up to the first variable. */
  readonly bodyPrefix: string;
}

/** Compiles a fetch: of root fields, or of entities when it requires representations. */
export function compileFetch(node: FetchNode, { schema, path, overlaps }: StepContext): Step {
  let fields: FieldTree | undefined;
  const fetch: CompiledFetch = {
    node,
    schema,
    path,
    fields: () => {
      fields ??= fetchedFieldsOf(node);
      return fields;
    },
    isCopied: isOverlapping(node, path, overlaps),
    isMutation: node.operationKind === 'mutation',
    bodyPrefix: bodyPrefixOf(node),
  };
  const { requires, inputRewrites = [] } = node;
  if (!requires) return thenTold(node, run => fetchFields(fetch, run, objectsAt(run.root, path)));
  const entityFetch = { ...fetch, select: compileRepresentations({ schema, requires, inputRewrites }) };
  return thenTold(node, run => fetchEntities(entityFetch, run, objectsAt(run.root, path)));
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
  const { data, errors } = await ask(fetch, run, undefined);
  if (data) {
    applyRewrites(fetch.schema, fetch.node.outputRewrites ?? [], data);
    fill(fetch, objects, data);
  }
  const failures: Failure[] = [];
  for (const error of errors)
    if (error.path?.length) addAtPlaces(fetch, run, { error, objects, below: error.path });
    else failures.push(run.failures.fail(fetch.node.serviceName, error));

  addGaps(fetch, run, objects, failures);
  if (!data && failures.length === 0) addGap(fetch, run, objects, 'told');
}

/** A fetch of entities. */
type EntityFetch = CompiledFetch & { readonly select: SelectRepresentations };

async function fetchEntities(fetch: EntityFetch, run: Run, objects: readonly DataObject[]): Promise<void> {
  const { node } = fetch;
  const representations = fetch.select(objects);
  handleIncomplete(fetch, run, representations.incomplete);
  if (representations.texts.length === 0) return;
  const { data, errors } = await ask(fetch, run, representations.texts);
  const failed = addEntityErrors(fetch, run, representations, errors);
  const entities = data?.['_entities'];
  if (Array.isArray(entities) && entities.length === representations.texts.length)
    fillEntities(fetch, run, { representations, entities, failed });
  else if (errors.length === 0) {
    const failure = run.failures.fail(node.serviceName, wrongEntities(entities, representations));
    addGap(fetch, run, representations.objects.flat(), failure);
  } else addGap(fetch, run, representations.objects.flat(), 'told');
}

/** Sends a fetch. `errors: null` means none, and an answer with nothing at all is an error. */
async function ask(
  fetch: CompiledFetch,
  run: Run,
  representations: readonly string[] | undefined,
): Promise<{ data: DataObject | undefined; errors: readonly GraphQLFormattedError[] }> {
  const { node, isMutation } = fetch;
  const answer: SubgraphAnswer = await run.fetch(node.serviceName, {
    query: node.operation,
    isMutation,
    representations: representations?.length,
    body: bodyOf(fetch, run, representations),
  });
  const { extensions } = answer;
  if (extensions)
    run.extensions.set(node.serviceName, { ...run.extensions.get(node.serviceName), ...extensions });
  const data = answer.data ?? undefined;
  const errors = usableErrors(answer.errors ?? [], run);
  if (data || errors.length > 0) return { data, errors };
  const message = `The subgraph '${node.serviceName}' answered with neither data nor errors`;
  return { data, errors: [{ message, extensions: { code: 'SUBGRAPH_ERROR' } }] };
}

/** Longest path of an error that is looked at. */
const maxPathLength = 200;

/** Errors with which something can be done: no more than a client gets, and with a path only if it is one. */
function usableErrors(
  errors: readonly GraphQLFormattedError[],
  { failures }: Run,
): readonly GraphQLFormattedError[] {
  const usable = errors.slice(0, failures.maxErrors);
  failures.omit(errors.length - usable.length);
  return usable.map(error => (isPath(error.path) ? error : withoutPath(error)));
}

function withoutPath(error: GraphQLFormattedError): GraphQLFormattedError {
  const { path: _, ...others } = error;
  return others;
}

function isPath(path: unknown): boolean {
  if (path === undefined) return true;
  if (!Array.isArray(path) || path.length > maxPathLength) return false;
  return path.every(key => typeof key === 'string' || typeof key === 'number');
}

function bodyPrefixOf({ operation, operationName }: FetchNode): string {
  const name = operationName === undefined ? '' : `,"operationName":${quote(operationName)}`;
  return `{"query":${quote(operation)}${name},"variables":{`;
}

/** Has the values that the client gave for the variables that the fetch uses. Its own document has the defaults. */
function bodyOf(
  { node, bodyPrefix }: CompiledFetch,
  { variables }: Run,
  representations: readonly string[] | undefined,
): string {
  let body = bodyPrefix;
  let comma = '';
  for (const name of node.variableUsages ?? []) {
    const value = variables[name];
    if (value === undefined) continue;
    body += `${comma}${quote(name)}:${toJson(value)}`;
    comma = ',';
  }
  if (representations) body += `${comma}"representations":[${representations.join(',')}]`;
  return `${body}}}`;
}

/** Merges an answer into each object. */
function fill({ isCopied }: CompiledFetch, objects: readonly DataObject[], data: DataObject): void {
  let given = data;
  for (const object of objects) {
    mergeInto(object, given);
    if (isCopied) given = copyOf(data);
  }
}

interface EntityAnswer {
  readonly representations: Representations;
  readonly entities: readonly unknown[];
  /** Indices of the entities that an error names. */
  readonly failed: ReadonlySet<number>;
}

function fillEntities(
  fetch: CompiledFetch,
  run: Run,
  { representations, entities, failed }: EntityAnswer,
): void {
  for (let index = 0; index < entities.length; index += 1) {
    const entity = entities[index];
    const objects = representations.objects[index] ?? [];
    if (isDataObject(entity)) {
      // The rewrites go by the type, which an answer need not repeat.
      entity['__typename'] ??= objects[0]?.['__typename'];
      if (fetch.node.outputRewrites) applyRewrites(fetch.schema, fetch.node.outputRewrites, entity);
      // A subgraph that has an interface as an object knows less of the type than the object.
      if (!isObjectType(fetch.schema.getType(String(entity['__typename'])))) delete entity['__typename'];
      fill(fetch, objects, entity);
    } else addGap(fetch, run, objects, failed.has(index) ? 'told' : 'not-found');
  }
}

const noIndices: ReadonlySet<number> = new Set();

/** Adds the errors of an answer with entities. @returns indices of the entities that they name */
function addEntityErrors(
  fetch: CompiledFetch,
  run: Run,
  representations: Representations,
  errors: readonly GraphQLFormattedError[],
): ReadonlySet<number> {
  if (errors.length === 0) return noIndices;
  const failed = new Set<number>();
  const failures: Failure[] = [];
  for (const error of errors) {
    const [field, index, ...below] = error.path ?? [];
    const objects = typeof index === 'number' ? representations.objects[index] : undefined;
    if (field === '_entities' && typeof index === 'number' && objects) {
      failed.add(index);
      addAtPlaces(fetch, run, { error, objects, below });
    } else failures.push(run.failures.fail(fetch.node.serviceName, error));
  }
  if (failures.length > 0) addGaps(fetch, run, representations.objects.flat(), failures);
  return failed;
}

interface PlacedError {
  readonly error: GraphQLFormattedError;
  readonly objects: readonly DataObject[];
  /** Path of the error below each object, with the names that the subgraph was given. */
  readonly below: readonly (string | number)[];
}

function addAtPlaces({ node, path }: CompiledFetch, run: Run, { error, objects, below }: PlacedError): void {
  const renamed = rewritePath(node.outputRewrites ?? [], below);
  for (const place of placesOf(run.root, path, new Set(objects)))
    run.failures.addSubgraphError(
      node.serviceName,
      error,
      [...pathToArray(place.path), ...renamed].map(clientNameOf),
    );
}

function addGap(fetch: CompiledFetch, run: Run, objects: readonly DataObject[], cause: Gap['cause']): void {
  for (const object of objects) run.failures.addGap(object, { fields: fetch.fields(), cause });
}

/** Errors of one fetch that are told at each field that it left null. */
const maxCauses = 20;

function addGaps(
  fetch: CompiledFetch,
  run: Run,
  objects: readonly DataObject[],
  causes: readonly Failure[],
): void {
  // A field is null for a few reasons; the others are told without one.
  for (const cause of causes.slice(0, maxCauses)) addGap(fetch, run, objects, cause);
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
    fetch: () => fetchEntities(fetch, run, waiting),
    giveUp: () => addGap(fetch, run, waiting, run.failures.any ? 'told' : missingKey(fetch, run)),
  });
}

function missingKey({ node }: CompiledFetch, run: Run): Failure {
  const message = `The subgraph '${node.serviceName}' could not be asked: a field that it requires has no value`;
  return run.failures.skip(node.serviceName, { message, extensions: { code: 'SUBGRAPH_ERROR' } });
}

function wrongEntities(entities: unknown, { texts }: Representations): GraphQLFormattedError {
  const got = Array.isArray(entities)
    ? `${entities.length} entities`
    : `no list of entities (${typeof entities})`;
  return {
    message: `The subgraph returned ${got} where ${texts.length} were asked for`,
    extensions: { code: 'SUBGRAPH_ERROR' },
  };
}
