import type { QueryPlan } from '@apollo/query-planner';
import {
  type DocumentNode,
  type ExecutionResult,
  execute,
  type FieldNode,
  type GraphQLObjectType,
  type GraphQLSchema,
  getOperationAST,
  getVariableValues,
  Kind,
  type OperationDefinitionNode,
  type OperationTypeNode,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import { Completion, type DeferredPlace } from './complete.ts';
import { conditionsOf, decideConditions } from './conditions.ts';
import type { CostLimit } from './cost.ts';
import { copyOf, type DataObject } from './data.ts';
import { deferVariablesOf, hasDefer, labelDefers, withoutDefer } from './defer.ts';
import { Deferral } from './deferral.ts';
import { Failures } from './failures.ts';
import { fragmentsOf } from './fragments.ts';
import { deniedError, type FieldGuard, type Grants, withoutFields } from './guard.ts';
import { Delivery, type IncrementalResult } from './incremental.ts';
import { type FieldsRequiredWithArguments, separateArguments } from './required-arguments.ts';
import { requiredFieldsOf } from './required-fields.ts';
import { type Run, runPlan, type Step } from './run.ts';
import { Selection, type ShapeField } from './shape.ts';
import { compilePlan } from './steps.ts';
import type { FetchFromSubgraph } from './subgraph-answer.ts';
import { compileWriter, type WriteAnswer } from './write.ts';

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
  /** Requirements that the caller fulfils; without them, the caller may have what has none. */
  readonly grants?: Grants | undefined;
}

interface CompileOptions {
  /** The schema that the client sees. */
  readonly schema: GraphQLSchema;
  /** The schema with what clients do not see. */
  readonly supergraphSchema: GraphQLSchema;
  readonly document: DocumentNode;
  /** Fields that the plan has under names of their own. */
  readonly separated: FieldsRequiredWithArguments;
  /** One of the document's. */
  readonly operation: OperationDefinitionNode;
  /** Plans the document. @throws GraphQLError when it can't be planned */
  readonly planOf: (document: DocumentNode) => QueryPlan;
  /** Undefined when no field has a requirement. */
  readonly guard?: FieldGuard | undefined;
  /** Undefined when operations may cost anything. */
  readonly cost?: CostLimit | undefined;
}

/** An operation whose conditions are decided. */
interface Variant {
  readonly plan: QueryPlan;
  readonly step: Step | undefined;
  readonly selection: Selection;
  readonly write: WriteAnswer;
  readonly requiredFields: ReadonlySet<string>;
  /** Checks the cost of what the caller may have. */
  readonly checkCost: ReturnType<CostLimit['compile']> | undefined;
  /** Names of the fields that the caller may not have. */
  readonly denied: readonly string[];
  /** Labels that the client gave, by those of the plan; empty for an answer that comes as one. */
  readonly clientLabels: ReadonlyMap<string, string | undefined>;
}

/** Variants of one operation that are kept. */
const maxVariants = 64;

/**
 * Compiles an operation: its plan into steps, its selections into the shape of the answer. Fragments with `@defer` come with
 * the rest.
 *
 * @throws GraphQLError when it can't be planned, Error when the plan has a node that is not executed
 */
export function compileOperation(options: CompileOptions): ExecutableOperation {
  const { schema, operation } = options;
  const whole = { ...options, ...withoutDeferOf(options) };
  const variantFor = createVariants(whole, compileVariant);
  // The planner may refuse the operation, and the first run need not wait for it.
  variantFor({});

  return {
    kind: operation.operation,
    async run(request) {
      const executed = await runFetches(options, variantFor, request);
      return 'root' in executed ? complete(options, executed, request) : executed;
    },
    async write(request) {
      const executed = await runFetches(options, variantFor, request);
      if (!('root' in executed)) return executed;
      const { root, variant, failures, extensions } = executed;
      const written = failures.isEmpty && extensions.size === 0 ? variant.write(root) : undefined;
      return written ?? complete(options, executed, request);
    },
    planFor({ variables, grants }) {
      const { coerced } = getVariableValues(schema, operation.variableDefinitions ?? [], variables);
      return coerced && variantFor(coerced, grants).plan;
    },
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
  const { schema, operation } = options;
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
      const initial = complete(options, executed, request, place => places.push(place));
      if (!initial.data || places.length === 0) return initial;
      const delivery = new Delivery({
        schema,
        deferral,
        failures,
        places,
        requiredFields: variant.requiredFields,
        clientLabels: variant.clientLabels,
        introspect: field => introspect(options, field, request.variables),
        data: copyOf(initial.data),
      });
      if (delivery.pending.length === 0) return initial;
      return { initial, pending: delivery.pending, batches: delivery.batches() };
    },
    planFor({ variables, grants }) {
      const { coerced } = getVariableValues(schema, operation.variableDefinitions ?? [], variables);
      return coerced && variantFor(coerced, grants).plan;
    },
  };
}

/** A run of an operation, as far as its fetches. */
interface Executed {
  /** Answers of all fetches, merged. */
  readonly root: DataObject;
  readonly variant: Variant;
  readonly failures: Failures;
  readonly extensions: Run['extensions'];
}

async function runFetches(
  { schema, operation }: CompileOptions,
  variantFor: VariantFor,
  { variables, fetch, grants }: OperationRequest,
  deferral?: Deferral,
): Promise<Executed | ExecutionResult> {
  const { coerced, errors } = getVariableValues(schema, operation.variableDefinitions ?? [], variables);
  if (errors) return { errors };
  const variant = variantFor(coerced, grants);
  const tooExpensive = variant.checkCost?.(coerced);
  if (tooExpensive) return { errors: [tooExpensive] };
  if (grants?.rejects && variant.denied.length > 0)
    return { errors: variant.denied.map(field => deniedError(field, grants.deniedCode)) };
  const failures = new Failures();
  const extensions: Run['extensions'] = new Map();
  const root: DataObject = {};
  const { step } = variant;
  if (step)
    await runPlan(step, { root, variables, coerced, fetch, failures, extensions, postponed: [], deferral });
  return { root, variant, failures, extensions };
}

function complete(
  options: CompileOptions,
  { root, variant, failures, extensions }: Executed,
  { variables, grants }: OperationRequest,
  onDeferred?: (place: DeferredPlace) => void,
) {
  const { schema, operation } = options;
  const completion = new Completion({
    schema,
    failures,
    introspect: field => introspect(options, field, variables),
    deniedCode: grants?.deniedCode,
    ...(onDeferred ? { onDeferred } : {}),
  });
  const rootType = schema.getRootType(operation.operation) as GraphQLObjectType;
  const data = completion.complete(root, rootType, variant.selection);
  const errors = failures.finish(data, variant.requiredFields);
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

type VariantFor = (variables: Readonly<Record<string, unknown>>, grants?: Grants) => Variant;

type IsGranted = Grants['isGranted'];

const grantsNothing: IsGranted = () => false;
const noIds: ReadonlySet<number> = new Set();

/**
 * Compiles the operation once for each set of values that `@skip`, `@include` and `@defer` go by, and of requirements that
 * callers fulfil.
 */
function createVariants(
  options: CompileOptions,
  compile: (
    options: CompileOptions,
    values: Readonly<Record<string, unknown>>,
    isGranted: IsGranted,
  ) => Variant,
): VariantFor {
  const { document, guard } = options;
  const requirements = guard?.requirementsOf(document) ?? [];
  const names = [...new Set([...conditionsOf(document).names, ...deferVariablesOf(document)])];
  const variants = new LRUCache<string, Variant>({ max: maxVariants });
  return (variables, { isGranted = grantsNothing } = {} as Grants) => {
    const granted = requirements.length > 0 ? new Set(requirements.filter(isGranted)) : noIds;
    const key = [...names.map(name => variables[name] === true), ...requirements.map(id => granted.has(id))]
      .map(bit => (bit ? '1' : '0'))
      .join('');
    const known = variants.get(key);
    if (known) return known;
    // A variant outlives the request: it keeps only the values that it goes by.
    const values = Object.fromEntries(names.map(name => [name, variables[name] === true]));
    const variant = compile(options, values, id => granted.has(id));
    variants.set(key, variant);
    return variant;
  };
}

function compileVariant(
  options: CompileOptions,
  values: Readonly<Record<string, unknown>>,
  isGranted: IsGranted,
): Variant {
  const { schema, document, operation, separated } = options;
  const fragments = fragmentsOf(document);
  const denied = options.guard?.deniedIn(document, isGranted) ?? noFields;
  const selection = new Selection({ schema, fragments, variables: values, separated, denied }, [
    operation.selectionSet,
  ]);
  return { ...planVariant(options, { values, document, selection, denied }), clientLabels: new Map() };
}

function compileDeferringVariant(
  options: CompileOptions,
  values: Readonly<Record<string, unknown>>,
  isGranted: IsGranted,
): Variant {
  const { schema, separated, guard } = options;
  const { document, operation, clientLabels } = labelDefers(options.document, options.operation, values);
  const denied = guard?.deniedIn(document, isGranted) ?? noFields;
  const context = { schema, fragments: new Map(), variables: values, separated, denied, defers: true };
  const selection = new Selection(context, [operation.selectionSet]);
  return { ...planVariant(options, { values, document, selection, denied }), clientLabels };
}

function planVariant(
  { schema, supergraphSchema, operation, planOf, separated, cost }: CompileOptions,
  { values, document, selection, denied }: VariantInput,
): Omit<Variant, 'clientLabels'> {
  const allowed = withoutFields(document, denied);
  const decided = conditionsOf(allowed).any ? decideConditions(allowed, values) : allowed;
  const plan = planOf(separateArguments(decided, separated));
  const { node } = plan;
  if (node?.kind === 'Subscription')
    throw new Error('A plan of a subscription is executed for each event, not by itself');
  return {
    plan,
    step: node ? compilePlan(node, supergraphSchema) : undefined,
    selection,
    write: compileWriter(schema, schema.getRootType(operation.operation) as GraphQLObjectType, selection),
    requiredFields: node ? requiredFieldsOf(node) : new Set(),
    checkCost: cost?.compile(allowed, operationIn(allowed, operation)),
    denied: [...new Set([...denied].map(({ name }) => name.value))],
  };
}

/** The operation as a changed document has it. */
function operationIn(document: DocumentNode, { name }: OperationDefinitionNode): OperationDefinitionNode {
  return getOperationAST(document, name?.value) as OperationDefinitionNode;
}

const noFields: ReadonlySet<FieldNode> = new Set();

interface VariantInput {
  readonly values: Readonly<Record<string, unknown>>;
  readonly document: DocumentNode;
  readonly selection: Selection;
  readonly denied: ReadonlySet<FieldNode>;
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
