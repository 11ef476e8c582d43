import { GraphQLError, type GraphQLFormattedError } from 'graphql';
import type { DataObject } from './data.ts';
import type { FieldTree } from './fetched-fields.ts';
import { defaultRunLimits } from './limits.ts';

/** Paths at which the error of one failed fetch is repeated. */
export const maxPathsPerFailure = 20;

/** A fetch that failed as a whole. Its error has the path of each field that it left null. */
export interface Failure {
  readonly error: GraphQLFormattedError;
  readonly subgraph: string;
  /** True for a fetch that was made. One that could not be made is no error for objects that need nothing of it. */
  readonly wasMade: boolean;
  /** Fields that it left null. */
  places: number;
}

/** Fields of one object that a fetch did not fill, and the reason. */
export interface Gap {
  readonly fields: FieldTree;
  /**
   * `not-found`: the subgraph has no such entity, so that nullable fields are null. `told`: an error with its own path
   * says why.
   */
  readonly cause: Failure | 'not-found' | 'told';
}

/** Errors of one run of an operation, and what is known of the fields that nobody filled. */
export class Failures {
  #errors: GraphQLError[] = [];
  readonly #failures: Failure[] = [];
  #gaps: Map<DataObject, Gap[]> | undefined;
  #toldPaths: Set<string> | undefined;
  readonly #earlier: Failures | undefined;
  readonly #maxErrors: number;
  #omitted = 0;

  /**
   * @param earlier failures of what came before a deferred part: they explain its nulls too
   * @param maxErrors errors of one part of the answer
   */
  constructor(earlier?: Failures, maxErrors: number = earlier?.maxErrors ?? defaultRunLimits.maxErrors) {
    this.#earlier = earlier;
    this.#maxErrors = maxErrors;
  }

  /** True if there were more errors than are told. */
  get hasOmitted(): boolean {
    return this.#omitted > 0;
  }

  get maxErrors(): number {
    return this.#maxErrors;
  }

  /** Tells if some field may be null for a failure. */
  get any(): boolean {
    return this.#gaps !== undefined || this.#toldPaths !== undefined || (this.#earlier?.any ?? false);
  }

  /** Tells if nothing has gone wrong. */
  get isEmpty(): boolean {
    return this.#errors.length === 0 && this.#failures.length === 0 && !this.any;
  }

  /** Tells if there is no room for more errors. */
  get isFull(): boolean {
    return this.#errors.length >= this.#maxErrors;
  }

  /** Adds a subgraph's error at the client's path. */
  addSubgraphError(subgraph: string, error: GraphQLFormattedError, path: readonly (string | number)[]): void {
    this.#toldPaths ??= new Set();
    for (let length = path.length; length > 0; length -= 1) {
      const told = JSON.stringify(path.slice(0, length));
      // What is above it is told too.
      if (this.#toldPaths.has(told)) break;
      this.#toldPaths.add(told);
    }
    this.#add(clientError(subgraph, error, path));
  }

  /** Adds an error of the gateway's own. */
  add(error: GraphQLError): void {
    this.#add(error);
  }

  /** Leaves out errors that nobody looks at. */
  omit(errors: number): void {
    this.#omitted += errors;
  }

  /** Notes a fetch that failed as a whole. */
  fail(subgraph: string, error: GraphQLFormattedError): Failure {
    return this.#note({ error, subgraph, wasMade: true, places: 0 });
  }

  /** Notes a fetch that was not made, because its objects lack what the subgraph has to be given. */
  skip(subgraph: string, error: GraphQLFormattedError): Failure {
    return this.#note({ error, subgraph, wasMade: false, places: 0 });
  }

  #note(failure: Failure): Failure {
    this.#failures.push(failure);
    return failure;
  }

  /** Notes fields of an object that stay without a value. */
  addGap(object: DataObject, gap: Gap): void {
    this.#gaps ??= new Map();
    const gaps = this.#gaps.get(object);
    if (!gaps) this.#gaps.set(object, [gap]);
    // An object may stand at several places of one fetch.
    else if (!gaps.some(({ fields, cause }) => fields === gap.fields && cause === gap.cause)) gaps.push(gap);
  }

  gapsOf(object: DataObject): readonly Gap[] {
    const own = this.#gaps?.get(object) ?? [];
    return this.#earlier ? [...this.#earlier.gapsOf(object), ...own] : own;
  }

  /** Adds the failure's error at a field that it left null. */
  place(failure: Failure, path: readonly (string | number)[]): void {
    failure.places += 1;
    if (failure.places <= maxPathsPerFailure)
      this.#add(clientError(failure.subgraph, failure.error, [...path]));
  }

  /** Tells if a subgraph's error stands at a path or below it. */
  isTold(path: readonly (string | number)[]): boolean {
    if (this.#toldPaths?.has(JSON.stringify(path))) return true;
    return this.#earlier?.isTold(path) ?? false;
  }

  /**
   * All errors. A fetch that failed and left nothing null is told once, without a path. An error of a field that the client did
   * not ask for is left out, unless another field required it: then it stands at the object. What is left out comes with a
   * later part, if its field does.
   *
   * @param data of all parts until now
   */
  finish(data: DataObject | null, requiredFields: ReadonlySet<string>): readonly GraphQLError[] {
    for (const failure of this.#failures) {
      if (failure.places === 0 && failure.wasMade)
        this.#add(clientError(failure.subgraph, failure.error, undefined));
      const more = failure.places - maxPathsPerFailure;
      if (more > 0)
        this.#add(
          clientError(
            failure.subgraph,
            { ...failure.error, message: `${failure.error.message} (and ${more} more fields)` },
            undefined,
          ),
        );
    }
    if (this.#omitted > 0)
      this.#errors.push(
        new GraphQLError(
          `${this.#omitted} more errors are left out; an answer has at most ${this.#maxErrors} (OPERATION_MAX_ERRORS)`,
          { extensions: { code: 'MAX_ERRORS_LIMIT' } },
        ),
      );
    return this.#take(data, requiredFields);
  }

  /** Takes the errors that the client's data has a place for, also those that earlier parts have left. */
  #take(data: DataObject | null, requiredFields: ReadonlySet<string>): readonly GraphQLError[] {
    const taken = this.#earlier ? [...this.#earlier.#take(data, requiredFields)] : [];
    const left: GraphQLError[] = [];
    for (const error of this.#errors) {
      const shown = shownError(error, data, requiredFields);
      if (shown) taken.push(shown);
      else left.push(error);
    }
    this.#errors = left;
    return taken;
  }

  #add(error: GraphQLError): void {
    if (this.isFull) this.#omitted += 1;
    else this.#errors.push(error);
  }
}

function clientError(
  subgraph: string,
  { message, extensions }: GraphQLFormattedError,
  path: readonly (string | number)[] | undefined,
): GraphQLError {
  return new GraphQLError(message || `The subgraph '${subgraph}' answered with an error without a message`, {
    path,
    extensions: { code: 'SUBGRAPH_ERROR', ...withoutHttp(extensions), serviceName: subgraph },
  });
}

/** Leaves out what Apollo Server takes for the status and the headers of its own answer. */
function withoutHttp(extensions: GraphQLFormattedError['extensions']): GraphQLFormattedError['extensions'] {
  const { http: _, ...others } = extensions ?? {};
  return others;
}

/** An error as the client sees it; undefined when its data has no place for it. */
function shownError(
  error: GraphQLError,
  data: DataObject | null,
  requiredFields: ReadonlySet<string>,
): GraphQLError | undefined {
  const { path = [], message, extensions } = error;
  const length = shownLengthOf(path, data);
  if (length === path.length) return error;
  if (!requiredFields.has(String(path[length]))) return undefined;
  return new GraphQLError(message, { path: path.slice(0, length), extensions });
}

/** Length of the part of a path that the client's data has. What a null has taken away counts as there. */
function shownLengthOf(path: readonly (string | number)[], data: DataObject | null): number {
  let value: unknown = data;
  for (const [depth, key] of path.entries()) {
    if (typeof value !== 'object' || value === null) break;
    if (!Object.hasOwn(value, key)) return depth;
    value = (value as Record<string | number, unknown>)[key];
  }
  return path.length;
}
