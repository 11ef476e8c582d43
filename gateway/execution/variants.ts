import type { QueryPlan } from '@apollo/query-planner';
import {
  type DocumentNode,
  type FieldNode,
  type GraphQLObjectType,
  type GraphQLSchema,
  getOperationAST,
  type OperationDefinitionNode,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import { conditionsOf, decideConditions } from './conditions.ts';
import type { CostModel } from './cost.ts';
import { deferVariablesOf, labelDefers } from './defer.ts';
import { fragmentsOf } from './fragments.ts';
import { type FieldGuard, type Grants, withoutFields } from './guard.ts';
import type { RunLimits } from './limits.ts';
import { type FieldsRequiredWithArguments, separateArguments } from './required-arguments.ts';
import { requiredFieldsOf } from './required-fields.ts';
import type { Step } from './run.ts';
import { Selection } from './shape.ts';
import { compilePlan } from './steps.ts';
import { compileWriter, type WriteAnswer } from './write.ts';

/** Input of the compilation of an operation. */
export interface CompileOptions {
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
  /** Undefined when costs are not looked at. */
  readonly cost?: CostModel | undefined;
  /** @default defaultRunLimits */
  readonly limits?: RunLimits | undefined;
}

/** An operation whose conditions are decided. */
export interface Variant {
  readonly plan: QueryPlan;
  readonly step: Step | undefined;
  readonly selection: Selection;
  readonly write: WriteAnswer;
  readonly requiredFields: ReadonlySet<string>;
  /** Cost of what the caller may have; undefined when costs are not looked at. */
  readonly cost: VariantCost | undefined;
  /** Names of the fields that the caller may not have. */
  readonly denied: readonly string[];
  /** Labels that the client gave, by those of the plan; empty for an answer that comes as one. */
  readonly clientLabels: ReadonlyMap<string, string | undefined>;
}

/** Cost of a variant. */
interface VariantCost {
  readonly estimate: ReturnType<CostModel['estimateOf']>;
  readonly actual: ReturnType<CostModel['actualOf']>;
}

/** Variants of one operation that are kept. */
const maxVariants = 64;

/** Finds the variant for values of variables, and for what a caller may have. */
export type VariantFor = (variables: Readonly<Record<string, unknown>>, grants?: Grants) => Variant;

type IsGranted = Grants['isGranted'];

const grantsNothing: IsGranted = () => false;
const noIds: ReadonlySet<number> = new Set();

/**
 * Compiles the operation once for each set of values that `@skip`, `@include` and `@defer` go by, and of requirements that
 * callers fulfil.
 */
export function createVariants(
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

/** Compiles a variant whose answer comes as one. */
export function compileVariant(
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

/** Compiles a variant whose fragments with `@defer` come later. @throws Error when the planner can't defer them */
export function compileDeferringVariant(
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
  const rootType = schema.getRootType(operation.operation) as GraphQLObjectType;
  if (node?.kind === 'Subscription')
    throw new Error('A plan of a subscription is executed for each event, not by itself');
  return {
    plan,
    step: node ? compilePlan(node, supergraphSchema) : undefined,
    selection,
    write: compileWriter(schema, rootType, selection),
    requiredFields: node ? requiredFieldsOf(node) : new Set(),
    cost: cost && {
      estimate: cost.estimateOf(allowed, operationIn(allowed, operation)),
      actual: cost.actualOf(rootType, selection),
    },
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
