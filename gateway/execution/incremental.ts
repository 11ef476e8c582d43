import { type ExecutionResult, type GraphQLError, type GraphQLSchema, isObjectType } from 'graphql';
import { Completion, type DeferredPlace } from './complete.ts';
import { copyOf, type DataObject, isDataObject, mergeInto, ownField, setField } from './data.ts';
import type { Deferral } from './deferral.ts';
import { Failures } from './failures.ts';
import type { Grants } from './guard.ts';
import { AnswerTooLargeError, type RunLimits } from './limits.ts';
import type { Run } from './run.ts';
import type { ShapeField } from './shape.ts';

/** A fragment that will come, at one object of the client's data. */
export interface Pending {
  /** Counts up from 0 within the answer. */
  readonly id: string;
  /** The client's; undefined when it gave none. */
  readonly label: string | undefined;
  readonly path: readonly (string | number)[];
}

/** A fragment that has come. */
export interface DeferredResult extends Pending {
  /** Null when a null reached the object. */
  readonly data: DataObject | null;
  readonly errors: readonly GraphQLError[];
  readonly extensions?: Readonly<Record<string, unknown>>;
}

/** Fragments that have come at the same time. */
export interface DeferredBatch {
  readonly results: readonly DeferredResult[];
  /** Fragments inside of them that are still to come. */
  readonly pending: readonly Pending[];
  readonly hasNext: boolean;
}

/** An answer in several parts. */
export interface IncrementalResult {
  readonly initial: ExecutionResult;
  readonly pending: readonly Pending[];
  /** The other parts. It does not reject. */
  readonly batches: AsyncGenerator<DeferredBatch, void, undefined>;
}

/** A run whose fetches up to the first answer are done. */
export interface IncrementalRun {
  readonly schema: GraphQLSchema;
  readonly deferral: Deferral;
  readonly requiredFields: ReadonlySet<string>;
  /** Labels that the client gave, by those of the plan. */
  readonly clientLabels: ReadonlyMap<string, string | undefined>;
  readonly introspect: (field: ShapeField) => unknown;
  /** Code of the errors of fields that the caller may not have. */
  readonly deniedCode: Grants['deniedCode'] | undefined;
  /** Those of each part. */
  readonly limits: RunLimits;
  /** Data of the first answer, to which the others are added. */
  readonly data: DataObject;
  /** Fragments that the first answer leaves out. */
  readonly places: readonly DeferredPlace[];
  readonly failures: Failures;
}

interface Waiting {
  readonly pending: Pending;
  readonly place: DeferredPlace;
}

/** Fragments with the same label: one block of the plan has their data. */
interface WaitingBlock {
  readonly label: string;
  readonly waiting: readonly Waiting[];
}

/** Delivers the fragments that an answer leaves out, each as soon as its data is there. */
export class Delivery {
  readonly #run: IncrementalRun;
  #count = 0;
  readonly #open = new Set<WaitingBlock>();
  readonly #ready: {
    readonly block: WaitingBlock;
    readonly failures: Failures;
    readonly extensions: Run['extensions'];
  }[] = [];
  #wake: () => void = () => {};
  /** Fragments that the first answer announces. */
  readonly pending: readonly Pending[];

  constructor(run: IncrementalRun) {
    this.#run = run;
    this.pending = this.#await(run.places, run.failures);
  }

  async *batches(): AsyncGenerator<DeferredBatch, void, undefined> {
    while (this.#open.size > 0) {
      if (this.#ready.length === 0)
        await new Promise<void>(resolve => {
          this.#wake = resolve;
        });
      const results: DeferredResult[] = [];
      const pending: Pending[] = [];
      for (const { block, failures, extensions } of this.#ready.splice(0)) {
        this.#open.delete(block);
        const nested: DeferredPlace[] = [];
        results.push(...this.#complete(block, failures, extensions, place => nested.push(place)));
        pending.push(...this.#await(nested, failures));
      }
      yield { results, pending, hasNext: this.#open.size > 0 };
    }
  }

  /**
   * Waits for the data of fragments.
   *
   * @param enclosing failures of the part that leaves them out
   * @returns those whose object the client has
   */
  #await(places: readonly DeferredPlace[], enclosing: Failures): Pending[] {
    const waitingByLabel = new Map<string, Waiting[]>();
    for (const place of places) {
      if (!isDataObject(valueAt(this.#run.data, place.path))) continue;
      const { label } = place.deferred;
      const pending = {
        id: String(this.#count++),
        label: this.#run.clientLabels.get(label),
        path: place.path,
      };
      const waiting = waitingByLabel.get(label);
      if (waiting) waiting.push({ pending, place });
      else waitingByLabel.set(label, [{ pending, place }]);
    }
    for (const [label, waiting] of waitingByLabel) this.#awaitBlock({ label, waiting }, enclosing);
    return [...waitingByLabel.values()].flat().map(({ pending }) => pending);
  }

  #awaitBlock(block: WaitingBlock, enclosing: Failures): void {
    this.#open.add(block);
    const before = { failures: new Failures(enclosing), extensions: new Map() };
    const outcome = this.#run.deferral.outcomeOf(block.label) ?? Promise.resolve(before);
    void outcome.then(({ failures, extensions }) => {
      this.#ready.push({ block, failures, extensions });
      this.#wake();
    });
  }

  #complete(
    { waiting }: WaitingBlock,
    failures: Failures,
    extensions: Run['extensions'],
    onDeferred: (place: DeferredPlace) => void,
  ): DeferredResult[] {
    const { schema, introspect, data, requiredFields, limits, deniedCode } = this.#run;
    const maxBytes = limits.maxAnswerBytes;
    const completion = new Completion({ schema, failures, introspect, maxBytes, deniedCode, onDeferred });
    const completed = waiting.map(({ pending, place }) => {
      const part = completeOrNull(completion, place, { failures, limits });
      const target = valueAt(data, place.path);
      // What a client gets by one fragment stays its own: others are merged into the same object.
      if (isDataObject(target)) mergeInto(target, part ? copyOf(part) : nullsOf(place));
      return { ...pending, data: part, errors: [] as GraphQLError[] };
    });
    const [first] = completed;
    const errors = failures.finish(data, requiredFields);
    if (failures.hasOmitted) limits.onExceeded('MAX_ERRORS_LIMIT');
    for (const error of errors) {
      const { path = [] } = error;
      (completed.find(each => each.path.every((key, depth) => path[depth] === key)) ?? first)?.errors.push(
        error,
      );
    }
    if (!first || extensions.size === 0) return completed;
    return [{ ...first, extensions: Object.fromEntries(extensions) }, ...completed.slice(1)];
  }
}

/** Completes a fragment. One that is too large is null, with the error. */
function completeOrNull(
  completion: Completion,
  place: DeferredPlace,
  { failures, limits }: { readonly failures: Failures; readonly limits: RunLimits },
): DataObject | null {
  try {
    return completion.completeDeferred(place);
  } catch (error) {
    if (!(error instanceof AnswerTooLargeError)) throw error;
    limits.onExceeded('MAX_ANSWER_BYTES_LIMIT');
    failures.add(error.at(place.path));
    return null;
  }
}

/** The fields of a fragment that was nulled, as errors in it are looked for. */
function nullsOf({ deferred: { selection }, type }: DeferredPlace): DataObject {
  const fields = isObjectType(type) ? selection.fieldsOf(type) : (selection.commonFieldsOf(type) ?? []);
  const nulls: DataObject = {};
  for (const { responseName } of fields) setField(nulls, responseName, null);
  return nulls;
}

/** The value at a path of a client's data; undefined when there is none. */
function valueAt(data: DataObject, path: readonly (string | number)[]): unknown {
  let value: unknown = data;
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = ownField(value as DataObject, String(key));
  }
  return value;
}
