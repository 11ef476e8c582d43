import type { QueryPlan } from '@apollo/query-planner';
import {
  type DocumentNode,
  type ExecutionResult,
  execute,
  type FragmentDefinitionNode,
  type GraphQLObjectType,
  type GraphQLSchema,
  getVariableValues,
  Kind,
  type OperationDefinitionNode,
  type OperationTypeNode,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import { Completion } from './complete.ts';
import { conditionsOf, decideConditions } from './conditions.ts';
import type { DataObject } from './data.ts';
import { Failures } from './failures.ts';
import { type FieldsRequiredWithArguments, separateArguments } from './required-arguments.ts';
import { requiredFieldsOf } from './required-fields.ts';
import { Selection, type ShapeField } from './shape.ts';
import { compilePlan, type Run, runPlan, type Step } from './steps.ts';
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
  /** The plan that a run with these variables follows; undefined when they can't be coerced. */
  planFor(variables: OperationRequest['variables']): QueryPlan | undefined;
}

/** Input of one run of an operation. */
export interface OperationRequest {
  /** As the client sent them. */
  readonly variables: Readonly<Record<string, unknown>>;
  readonly fetch: FetchFromSubgraph;
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
}

/** An operation whose conditions are decided. */
interface Variant {
  readonly plan: QueryPlan;
  readonly step: Step | undefined;
  readonly selection: Selection;
  readonly write: WriteAnswer;
  readonly requiredFields: ReadonlySet<string>;
}

/** Variants of one operation that are kept. */
const maxVariants = 64;

/**
 * Compiles an operation: its plan into steps, its selections into the shape of the answer.
 *
 * @throws GraphQLError when it can't be planned, Error when the plan has a node that is not executed
 */
export function compileOperation(options: CompileOptions): ExecutableOperation {
  const { schema, operation } = options;
  const rootType = schema.getRootType(operation.operation) as GraphQLObjectType;
  const variantFor = createVariants(options);
  // The planner may refuse the operation, and the first run need not wait for it.
  variantFor({});

  async function execute(request: OperationRequest): Promise<Executed | ExecutionResult> {
    const { variables, fetch } = request;
    const { coerced, errors } = getVariableValues(schema, operation.variableDefinitions ?? [], variables);
    if (errors) return { errors };
    const variant = variantFor(coerced);
    const failures = new Failures();
    const extensions: Run['extensions'] = new Map();
    const root: DataObject = {};
    const { step } = variant;
    if (step) await runPlan(step, { root, variables, coerced, fetch, failures, extensions, postponed: [] });
    return { root, variant, failures, extensions };
  }

  function complete(
    { root, variant, failures, extensions }: Executed,
    variables: OperationRequest['variables'],
  ) {
    const completion = new Completion({
      schema,
      failures,
      introspect: field => introspect(options, field, variables),
    });
    const data = completion.complete(root, rootType, variant.selection);
    const errors = failures.finish(data, variant.requiredFields);
    return {
      ...(errors.length > 0 ? { errors } : {}),
      data,
      ...(extensions.size > 0 ? { extensions: Object.fromEntries(extensions) } : {}),
    };
  }

  return {
    kind: operation.operation,
    async run(request) {
      const executed = await execute(request);
      return 'root' in executed ? complete(executed, request.variables) : executed;
    },
    async write(request) {
      const executed = await execute(request);
      if (!('root' in executed)) return executed;
      const { root, variant, failures, extensions } = executed;
      const written = failures.isEmpty && extensions.size === 0 ? variant.write(root) : undefined;
      return written ?? complete(executed, request.variables);
    },
    planFor(variables) {
      const { coerced } = getVariableValues(schema, operation.variableDefinitions ?? [], variables);
      return coerced && variantFor(coerced).plan;
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

/** Compiles the operation once for each set of values that `@skip` and `@include` go by. */
function createVariants(options: CompileOptions) {
  const { schema, supergraphSchema, document, operation, planOf, separated } = options;
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions)
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  const conditions = conditionsOf(document);
  const variants = new LRUCache<string, Variant>({ max: maxVariants });

  function compile(values: Readonly<Record<string, unknown>>): Variant {
    const plan = planOf(
      separateArguments(conditions.any ? decideConditions(document, values) : document, separated),
    );
    const { node } = plan;
    if (node?.kind === 'Subscription')
      throw new Error('A plan of a subscription is executed for each event, not by itself');
    const selection = new Selection({ schema, fragments, variables: values, separated }, [
      operation.selectionSet,
    ]);
    return {
      plan,
      step: node ? compilePlan(node, supergraphSchema) : undefined,
      selection,
      write: compileWriter(schema, schema.getRootType(operation.operation) as GraphQLObjectType, selection),
      requiredFields: node ? requiredFieldsOf(node) : new Set(),
    };
  }

  return (variables: Readonly<Record<string, unknown>>): Variant => {
    const key = conditions.names.map(name => (variables[name] === true ? '1' : '0')).join('');
    const known = variants.get(key);
    if (known) return known;
    // A variant outlives the request: it keeps only the values that it goes by.
    const variant = compile(
      Object.fromEntries(conditions.names.map(name => [name, variables[name] === true])),
    );
    variants.set(key, variant);
    return variant;
  };
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
