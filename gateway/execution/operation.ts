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
  visit,
} from 'graphql';
import { Completion } from './complete.ts';
import type { DataObject } from './data.ts';
import { Failures } from './failures.ts';
import { Selection, type ShapeField } from './shape.ts';
import { compileStep, type Step } from './steps.ts';
import type { FetchFromSubgraph } from './subgraph-answer.ts';

/** An operation with its plan, compiled once for all its runs. */
export interface ExecutableOperation {
  /** Runs it once. It does not reject: what goes wrong is in the result's errors. */
  run(request: OperationRequest): Promise<ExecutionResult>;
}

/** What differs between the runs of an operation. */
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
  /** One of the document's. */
  readonly operation: OperationDefinitionNode;
  readonly plan: QueryPlan;
}

/** Shapes that are kept for different values of the variables of `@skip` and `@include`. */
const maxShapes = 64;

/**
 * Compiles an operation: its plan into steps, its selections into the shape of the answer.
 *
 * @throws Error when the plan has a node that is not executed
 */
export function compileOperation(options: CompileOptions): ExecutableOperation {
  const { schema, supergraphSchema, operation, plan } = options;
  const { node } = plan;
  if (node?.kind === 'Subscription')
    throw new Error('A plan of a subscription is executed for each event, not by itself');
  const step: Step | undefined = node ? compileStep(node, supergraphSchema) : undefined;
  const rootType = schema.getRootType(operation.operation) as GraphQLObjectType;
  const selectionFor = createShapes(options);

  return {
    async run({ variables, fetch }) {
      const { coerced, errors } = getVariableValues(schema, operation.variableDefinitions ?? [], variables);
      if (errors) return { errors };
      const failures = new Failures();
      const root: DataObject = {};
      await step?.({ variables, coerced, fetch, failures }, [{ object: root, path: undefined }]);
      const completion = new Completion({
        schema,
        failures,
        introspect: field => introspect(options, field, variables),
      });
      const data = completion.complete(root, rootType, selectionFor(coerced));
      const found = failures.finish();
      return found.length > 0 ? { errors: found, data } : { data };
    },
  };
}

/** Keeps the shape of the answer for each set of values that `@skip` and `@include` go by. */
function createShapes({ schema, document, operation }: CompileOptions) {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions)
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  const conditions = conditionVariablesOf(document);
  const shapes = new Map<string, Selection>();
  return (variables: Readonly<Record<string, unknown>>): Selection => {
    const key = conditions.map(name => (variables[name] === true ? '1' : '0')).join('');
    const known = shapes.get(key);
    if (known) return known;
    // The shape outlives the request: it keeps only the values that it goes by.
    const values = Object.fromEntries(conditions.map(name => [name, variables[name]]));
    const selection = new Selection({ schema, fragments, variables: values }, [operation.selectionSet]);
    if (shapes.size < maxShapes) shapes.set(key, selection);
    return selection;
  };
}

function conditionVariablesOf(document: DocumentNode): readonly string[] {
  const names = new Set<string>();
  visit(document, {
    Directive({ name, arguments: given = [] }) {
      if (name.value !== 'skip' && name.value !== 'include') return;
      for (const { value } of given) if (value.kind === Kind.VARIABLE) names.add(value.name.value);
    },
  });
  return [...names];
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
