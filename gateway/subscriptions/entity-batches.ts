import type { GraphQLFormattedError } from 'graphql';
import { afterMicrotasks } from '../after-microtasks.ts';
import { copyOf } from '../execution/data.ts';
import { sortErrors } from '../execution/entity-requests.ts';
import { wrongEntities } from '../execution/entity-step.ts';
import type { FetchFromSubgraph, SubgraphAnswer, SubgraphRequest } from '../execution/subgraph-answer.ts';

/** Most entities that one request asks for on behalf of several fetches. */
const maxEntities = 1_000;
/** Most errors of entities, and of a request as a whole, that each of its fetches is told. */
const maxErrors = 1_000;

/** A fetch of entities, and the indices of its entities in the batch. */
interface BatchedFetch {
  readonly indices: readonly number[];
  resolve(answer: SubgraphAnswer): void;
  reject(error: unknown): void;
}

/** Fetches that are sent as one. They ask the same of entities of their own. */
interface Batch {
  readonly fetch: FetchFromSubgraph;
  readonly subgraph: string;
  readonly first: SubgraphRequest;
  /** The body up to the representations. */
  readonly bodyHead: string;
  readonly indexByText: Map<string, number>;
  readonly fetches: BatchedFetch[];
}

/**
 * Sends the fetches of entities that several events of one subscription begin at the same time as one request: events that come
 * in a burst ask for each entity once. A fetch waits for no event that has not come.
 */
export class EntityBatches {
  /** Most streams have none. */
  #open: Map<string, Batch> | undefined;

  /**
   * Batches the fetches of one event.
   *
   * @param fetch all events' fetches have to have the same caller and headers
   */
  batched(fetch: FetchFromSubgraph): FetchFromSubgraph {
    return (subgraph, request) => {
      const { representations, isMutation } = request;
      if (!representations || isMutation) return fetch(subgraph, request);
      return new Promise((resolve, reject) => {
        const { indexByText, fetches } = this.#batchFor(fetch, subgraph, request, representations);
        const indices = representations.map(text => {
          const index = indexByText.get(text) ?? indexByText.size;
          indexByText.set(text, index);
          return index;
        });
        fetches.push({ indices, resolve, reject });
      });
    };
  }

  #batchFor(
    fetch: FetchFromSubgraph,
    subgraph: string,
    request: SubgraphRequest,
    representations: readonly string[],
  ): Batch {
    const bodyHead = request.body.slice(0, -bodyTailOf(representations).length);
    const key = `${subgraph}\n${bodyHead}`;
    this.#open ??= new Map();
    const open = this.#open.get(key);
    if (open && open.indexByText.size + representations.length <= maxEntities) return open;
    const batch: Batch = { fetch, subgraph, first: request, bodyHead, indexByText: new Map(), fetches: [] };
    this.#open.set(key, batch);
    // Microtasks bring the events that have come as far as their fetches.
    const sendLater = afterMicrotasks(() => {
      if (this.#open?.get(key) === batch) this.#open.delete(key);
      send(batch).catch(error => {
        for (const { reject } of batch.fetches) reject(error);
      });
    });
    sendLater();
    return batch;
  }
}

/** The end of a body, which the representations are in. */
function bodyTailOf(representations: readonly string[]): string {
  return `[${representations.join(',')}]}}`;
}

async function send({ fetch, subgraph, first, bodyHead, indexByText, fetches }: Batch): Promise<void> {
  const representations = [...indexByText.keys()];
  const [only] = fetches;
  if (fetches.length === 1) {
    only?.resolve(await fetch(subgraph, first));
    return;
  }
  const { query, isMutation } = first;
  const whole = { query, isMutation, representations, body: bodyHead + bodyTailOf(representations) };
  const answer = await fetch(subgraph, whole);
  const answerFor = createDivision(answer, representations.length);
  for (const { indices, resolve } of fetches) resolve(answerFor(indices));
}

/** Creates the function that makes of an answer what each fetch would have got by itself. */
function createDivision(
  { data, errors, extensions }: SubgraphAnswer,
  count: number,
): (indices: readonly number[]) => SubgraphAnswer {
  const sorted = sortErrors(errors ?? [], count);
  const others = sorted.others.slice(0, maxErrors);
  const errorsOf = (indices: readonly number[]): GraphQLFormattedError[] => {
    const own: GraphQLFormattedError[] = [];
    for (const [at, index] of sorted.errorsByIndex.size > 0 ? indices.entries() : [])
      for (const { error, below } of sorted.errorsByIndex.get(index)?.slice(0, maxErrors - own.length) ?? [])
        own.push({ ...error, path: ['_entities', at, ...below] });
    return [...own, ...others];
  };
  const entities = data?.['_entities'];
  if (!Array.isArray(entities) || entities.length !== count)
    return indices => {
      const told = errorsOf(indices);
      return { data: null, errors: told.length > 0 ? told : [wrongEntities(entities, count)], extensions };
    };
  const taken = new Set<number>();
  const entityAt = (index: number): unknown => {
    // Each event has a tree of its own, which later fetches change.
    if (taken.has(index)) return copyOf(entities[index]);
    taken.add(index);
    return entities[index];
  };
  return indices => ({
    data: { _entities: indices.map(entityAt) },
    errors: errorsOf(indices),
    extensions,
  });
}
