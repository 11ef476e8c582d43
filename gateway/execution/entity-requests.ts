import type { GraphQLFormattedError } from 'graphql';
import type { DataObject } from './data.ts';
import type { Gap } from './failures.ts';
import type { Representations } from './representations.ts';

/** Answer to a request for entities, as all fetches see it that asked for some of them. */
export interface EntitiesAnswer {
  /** By the index of their representation; undefined when the answer has no such list. */
  readonly entities: readonly unknown[] | undefined;
  /** Errors that name an entity, by its index. */
  readonly errorsByIndex: ReadonlyMap<number, readonly EntityError[]>;
  /** Reasons why any of the entities may lack fields. */
  readonly causes: readonly Gap['cause'][];
}

/** An error of one entity. */
export interface EntityError {
  readonly error: GraphQLFormattedError;
  /** Path below the entity, with the names that the subgraph was given. */
  readonly below: readonly (string | number)[];
}

const noErrors: EntitiesAnswer['errorsByIndex'] = new Map();

/** Tells errors that name one of `count` entities from others, which are of the whole request. */
export function sortErrors(
  errors: readonly GraphQLFormattedError[],
  count: number,
): { errorsByIndex: EntitiesAnswer['errorsByIndex']; others: GraphQLFormattedError[] } {
  if (errors.length === 0) return { errorsByIndex: noErrors, others: [] };
  const errorsByIndex = new Map<number, EntityError[]>();
  const others: GraphQLFormattedError[] = [];
  for (const error of errors) {
    const [field, index, ...below] = Array.isArray(error.path) ? (error.path as (string | number)[]) : [];
    if (field === '_entities' && isIndex(index, count)) {
      const known = errorsByIndex.get(index);
      if (known) known.push({ error, below });
      else errorsByIndex.set(index, [{ error, below }]);
    } else others.push(error);
  }
  return { errorsByIndex, others };
}

function isIndex(value: unknown, count: number): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < count;
}

/** Entities that are asked for in one request. */
interface EntityRequest {
  /** Their representations, as JSON. */
  readonly texts: string[];
  /** Names of their types. */
  readonly types: string[];
  readonly answer: Promise<EntitiesAnswer>;
}

/** Entities of one request that a fetch asked for. */
export interface RequestedEntities {
  readonly answer: Promise<EntitiesAnswer>;
  /** Objects of the fetch by the index of the representation; none where another fetch asked. */
  readonly objects: readonly (readonly DataObject[] | undefined)[];
}

type Send = (texts: readonly string[], types: readonly string[]) => Promise<EntitiesAnswer>;

/** Sends a request for all entities of a fetch. */
export function requestEntities({ texts, objects }: Representations, send: Send): RequestedEntities {
  return { answer: send(texts, objects.map(typeOf)), objects };
}

/**
 * Entities that twins of one run ask for. Each is asked for once, whichever of them needs it first: what several of them begin
 * to ask for at the same time is one request, and what has been asked for is waited for.
 */
export class EntityLoader {
  readonly #places = new Map<string, { readonly request: EntityRequest; readonly index: number }>();
  #next: EntityRequest | undefined;

  load({ texts, objects }: Representations, send: Send): readonly RequestedEntities[] {
    const objectsByRequest = new Map<EntityRequest, (readonly DataObject[])[]>();
    for (const [at, text] of texts.entries()) {
      const own = objects[at] as readonly DataObject[];
      const { request, index } = this.#places.get(text) ?? this.#add(text, typeOf(own), send);
      const known = objectsByRequest.get(request) ?? [];
      known[index] = own;
      objectsByRequest.set(request, known);
    }
    return [...objectsByRequest].map(([{ answer }, its]) => ({ answer, objects: its }));
  }

  #add(text: string, type: string, send: Send) {
    this.#next ??= this.#begin(send);
    const request = this.#next;
    const place = { request, index: request.texts.push(text) - 1 };
    request.types.push(type);
    this.#places.set(text, place);
    return place;
  }

  /** Begins a request, which is sent when all steps that run now have added to it. */
  #begin(send: Send): EntityRequest {
    const [texts, types]: [string[], string[]] = [[], []];
    const answer = Promise.resolve().then(() => {
      this.#next = undefined;
      return send(texts, types);
    });
    return { texts, types, answer };
  }
}

/** Name of the type of the objects of one representation: it has the name, or that of an interface whose entities have keys of their own. */
function typeOf(objects: readonly DataObject[] | undefined): string {
  return String(objects?.[0]?.['__typename']);
}
