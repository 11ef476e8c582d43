import type { QueryPlan } from '@apollo/query-planner';
import {
  type ExecutionResult,
  execute,
  type GraphQLObjectType,
  getVariableValues,
  Kind,
  type OperationTypeNode,
} from 'graphql';
import { Completion, type DeferredPlace } from './complete.ts';
import type { CostAccount } from './cost.ts';
import { copyOf, type DataObject } from './data.ts';
import { hasDefer, withoutDefer } from './defer.ts';
import { Deferral } from './deferral.ts';
import { Failures } from './failures.ts';
import { whenEnded } from './generators.ts';
import { deniedError, type Grants } from './guard.ts';
import { Delivery, type IncrementalResult } from './incremental.ts';
import { AnswerTooLargeError, defaultRunLimits, type RunLimits } from './limits.ts';
import { type Run, runPlan } from './run.ts';
import { RunEntities } from './run-entities.ts';
import type { ShapeField } from './shape.ts';
import type { FetchFromSubgraph } from './subgraph-answer.ts';
import {
  type CompileOptions,
  compileDeferringVariant,
  compileVariant,
  createVariants,
  type Variant,
  type VariantFor,
} from './variants.ts';

/** An operation with its plan, compiled once for all its runs. */
export interface ExecutableOperation {
  readonly kind: OperationTypeNode;
  /** Runs it once. It does not reject: what goes wrong is in the result's errors. */
  run(request: OperationRequest): Promise<ExecutionResult>;
  /**
   * The same, for an answer that is only written.
   *
   * @returns the result as JSON when it is data alone, as it is otherwise
   */
  write(request: OperationRequest): Promise<Buffer | ExecutionResult>;
  /** The plan that a run of the request follows; undefined when its variables can't be coerced. */
  planFor(request: Omit<OperationRequest, 'fetch'>): QueryPlan | undefined;
}

/** Input of one run of an operation. */
export interface OperationRequest {
  /** As the client sent them. */
  readonly variables: Readonly<Record<string, unknown>>;
  readonly fetch: FetchFromSubgraph;
  /** Waits until there is time for the run. @default at once */
  readonly waitForTurn?: (() => Promise<void>) | undefined;
  /** Requirements that the caller fulfils; without them, the caller may have what has none. */
  readonly grants?: Grants | undefined;
  /** Undefined when costs are not looked at. */
  readonly costs?: CostAccount | undefined;
}

/**
 * Compiles an operation: its plan into steps, its selections into the shape of the answer. Fragments with `@defer` come with
 * the rest.
 *
 * @throws GraphQLError when it can't be planned, Error when the plan has a node that is not executed
 */
export function compileOperation(options: CompileOptions): ExecutableOperation {
  const { operation } = options;
  const { limits = defaultRunLimits } = options;
  const whole = { ...options, ...withoutDeferOf(options) };
  const variantFor = createVariants(whole, compileVariant);
  // The planner may refuse the operation, and the first run need not wait for it.
  variantFor({});

  return {
    kind: operation.operation,
    async run(request) {
      const executed = await runFetches(options, variantFor, request);
      if (!('root' in executed)) return executed;
      settle(executed, request);
      return orTooLarge(limits, () => complete(options, executed, request));
    },
    async write(request) {
      const executed = await runFetches(options, variantFor, request);
      if (!('root' in executed)) return executed;
      settle(executed, request);
      return orTooLarge(limits, () => write(executed, limits) ?? complete(options, executed, request));
    },
    planFor: createPlanFor(options, variantFor),
  };
}

/** An operation with `@defer`, compiled once for all its runs. */
export interface IncrementalOperation {
  readonly kind: OperationTypeNode;
  /** Runs it once. It does not reject. @returns a result alone when nothing is deferred, or its variables are wrong */
  run(request: OperationRequest): Promise<ExecutionResult | IncrementalResult>;
  planFor: ExecutableOperation['planFor'];
}

/**
 * Compiles an operation whose fragments with `@defer` come after the rest.
 *
 * @throws GraphQLError when it can't be planned
 */
export function compileIncremental(options: CompileOptions): IncrementalOperation {
  const { schema, operation, limits = defaultRunLimits } = options;
  const whole = { ...options, ...withoutDeferOf(options) };
  // Where the planner can't defer, or the fragments are too many, all comes as one.
  const variantFor = createVariants(options, (_options, values, isGranted) => {
    try {
      return compileDeferringVariant(options, values, isGranted);
    } catch {
      return compileVariant(whole, values, isGranted);
    }
  });
  variantFor({});

  return {
    kind: operation.operation,
    async run(request) {
      const deferral = new Deferral();
      const executed = await runFetches(options, variantFor, request, deferral);
      if (!('root' in executed)) return executed;
      const { variant, failures } = executed;
      const places: DeferredPlace[] = [];
      const initial = orTooLarge(limits, () =>
        complete(options, executed, request, place => places.push(place)),
      );
      if (!initial.data || places.length === 0) {
        settle(executed, request);
        return initial;
      }
      const delivery = new Delivery({
        schema,
        deferral,
        failures,
        places,
        requiredFields: variant.requiredFields,
        clientLabels: variant.clientLabels,
        introspect: field => introspect(options, field, request.variables),
        deniedCode: request.grants?.deniedCode,
        limits,
        data: copyOf(initial.data),
      });
      if (delivery.pending.length === 0) {
        settle(executed, request);
        return initial;
      }
      const batches = whenEnded(delivery.batches(), () => settle(executed, request));
      return { initial, pending: delivery.pending, batches };
    },
    planFor: createPlanFor(options, variantFor),
  };
}

/** Makes the function that finds the plan of a request. */
function createPlanFor(
  { schema, operation }: CompileOptions,
  variantFor: VariantFor,
): ExecutableOperation['planFor'] {
  return ({ variables, grants }) => {
    const { coerced } = getVariableValues(schema, operation.variableDefinitions ?? [], variables);
    return coerced && variantFor(coerced, grants).plan;
  };
}

/** A run of an operation, as far as its fetches. */
interface Executed {
  /** Answers of all fetches, merged. */
  readonly root: DataObject;
  readonly variant: Variant;
  readonly failures: Failures;
  readonly extensions: Run['extensions'];
  readonly entities: RunEntities;
}

async function runFetches(
  { schema, operation, limits = defaultRunLimits }: CompileOptions,
  variantFor: VariantFor,
  { variables, fetch, waitForTurn, grants, costs }: OperationRequest,
  deferral?: Deferral,
): Promise<Executed | ExecutionResult> {
  await waitForTurn?.();
  const tooLarge = limits.checkVariables(variables);
  if (tooLarge) return { errors: [tooLarge] };
  const { coerced, errors } = getVariableValues(schema, operation.variableDefinitions ?? [], variables);
  if (errors) return { errors };
  const variant = variantFor(coerced, grants);
  if (grants?.rejects && variant.denied.length > 0)
    return { errors: variant.denied.map(field => deniedError(field, grants.deniedCode)) };
  const tooExpensive = costs && variant.cost && (await costs.charge(variant.cost.estimate(coerced)));
  if (tooExpensive) return { errors: [tooExpensive] };
  const failures = new Failures(undefined, limits.maxErrors);
  const extensions: Run['extensions'] = new Map();
  const root: DataObject = {};
  const { step } = variant;
  const entities = new RunEntities();
  if (step)
    await runPlan(step, {
      root,
      failures,
      extensions,
      entities,
      postponed: [],
      variables,
      coerced,
      fetch,
      deferral,
    });
  return { root, variant, failures, extensions, entities };
}

/** Writes an answer with which nothing is wrong. */
function write(
  { root, variant, failures, extensions, entities }: Executed,
  limits: RunLimits,
): Buffer | undefined {
  if (!failures.isEmpty || extensions.size > 0) return undefined;
  return variant.write(root, limits.maxAnswerBytes, entities.united);
}

function settle({ root, variant }: Executed, { costs }: OperationRequest): void {
  if (costs && variant.cost) costs.settle(variant.cost.actual(root));
}

/** Makes an answer; one that is too large becomes its error. */
function orTooLarge<Answer>(limits: RunLimits, answer: () => Answer): Answer | ExecutionResult {
  try {
    return answer();
  } catch (error) {
    if (!(error instanceof AnswerTooLargeError)) throw error;
    limits.onExceeded('MAX_ANSWER_BYTES_LIMIT');
    return { errors: [error] };
  }
}

function complete(
  options: CompileOptions,
  { root, variant, failures, extensions }: Executed,
  { variables, grants }: OperationRequest,
  onDeferred?: (place: DeferredPlace) => void,
) {
  const { schema, operation, limits = defaultRunLimits } = options;
  const completion = new Completion({
    schema,
    failures,
    maxBytes: limits.maxAnswerBytes,
    introspect: field => introspect(options, field, variables),
    deniedCode: grants?.deniedCode,
    ...(onDeferred ? { onDeferred } : {}),
  });
  const rootType = schema.getRootType(operation.operation) as GraphQLObjectType;
  const data = completion.complete(root, rootType, variant.selection);
  const errors = failures.finish(data, variant.requiredFields);
  if (failures.hasOmitted) limits.onExceeded('MAX_ERRORS_LIMIT');
  return {
    ...(errors.length > 0 ? { errors } : {}),
    data,
    ...(extensions.size > 0 ? { extensions: Object.fromEntries(extensions) } : {}),
  };
}

/** The document and the operation without `@defer`; as they are when they have none. */
function withoutDeferOf({ document, operation }: CompileOptions) {
  if (!hasDefer(document)) return { document, operation };
  return { document: withoutDefer(document), operation: withoutDefer(operation) };
}

/** Answers `__schema` or `__type` by graphql-js, of the schema that the client sees. */
function introspect(
  { schema, document, operation }: CompileOptions,
  { nodes, responseName }: ShapeField,
  variables: Readonly<Record<string, unknown>>,
): unknown {
  const fragments = document.definitions.filter(({ kind }) => kind === Kind.FRAGMENT_DEFINITION);
  const selectionSet = { ...operation.selectionSet, selections: nodes };
  const alone = { kind: Kind.DOCUMENT, definitions: [{ ...operation, selectionSet }, ...fragments] } as const;
  const result = execute({ schema, document: alone, variableValues: variables }) as ExecutionResult;
  return result.data?.[responseName] ?? null;
}
