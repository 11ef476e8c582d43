import { createHash } from 'node:crypto';
import {
  type DocumentNode,
  GraphQLError,
  getOperationAST,
  getVariableValues,
  Kind,
  type OperationDefinitionNode,
  parse,
  type SelectionSetNode,
  specifiedRules,
  type ValidationRule,
  validate,
} from 'graphql';
import type { Costs } from '../cost/costs.ts';
import type { CostModel } from '../execution/cost.ts';
import { hasDefer } from '../execution/defer.ts';
import { fragmentsOf } from '../execution/fragments.ts';
import { deniedError, type Grants, withoutFields } from '../execution/guard.ts';
import { defaultRunLimits, type RunLimits } from '../execution/limits.ts';
import type { OperationCaller } from '../security/operation-caller.ts';
import { limitOf } from '../security/operation-limits.ts';
import type { Graph } from '../supergraph/graph/graph.ts';
import type { LiveMetrics } from './metrics.ts';
import { beginsAfter, type Resumption, resumptionOf } from './resumption.ts';
import { planSubscription, type SubscriptionPlan } from './subscription-plan.ts';

/** Request of a client, as every transport brings it. */
export interface OperationRequest {
  readonly query: string;
  readonly operationName?: string | null | undefined;
  readonly variables?: Readonly<Record<string, unknown>> | null | undefined;
}

/** An operation that is valid in one graph. */
export interface Operation {
  readonly graph: Graph;
  readonly request: OperationRequest;
  readonly document: DocumentNode;
  readonly definition: OperationDefinitionNode;
  /** Coerced by the graph's schema. */
  readonly variables: Readonly<Record<string, unknown>>;
  /** Shared by all requests of the same document; set for subscriptions. */
  readonly subscription: PlannedSubscription | undefined;
  /** True if the answer of a query or mutation comes in parts. */
  readonly isDeferring: boolean;
}

/** A subscription's document, planned for one graph. */
export interface PlannedSubscription {
  /** The same for the same text and the same fields that its caller may have, in whichever graph. */
  readonly id: string;
  readonly plan: SubscriptionPlan;
  readonly resumption: Resumption | undefined;
  /** True if whoever asks for the same may get what is there already. */
  readonly isShareable: boolean;
}

/** Reads operations and checks them against a graph. */
export interface OperationReader {
  /** @throws RefusedOperation when it is not valid, or the caller may not have it */
  read(graph: Graph, request: OperationRequest, caller: OperationCaller): Operation;
}

/** An operation is refused, with the errors for its client. */
export class RefusedOperation extends Error {
  override readonly name = 'RefusedOperation';
  readonly errors: readonly GraphQLError[];

  constructor(errors: readonly GraphQLError[]) {
    super(errors.map(({ message }) => message).join('; '));
    this.errors = errors;
  }
}

type ReadDocument = Pick<Operation, 'document' | 'definition' | 'subscription' | 'isDeferring'> & {
  /** Estimates the cost of a subscription's event; others are estimated when they run. */
  readonly estimateCost?: ReturnType<CostModel['estimateOf']> | undefined;
};

/** The subscriptions of one graph, and what is deferred, by their text, the latest used last. */
interface Remembered {
  readonly documents: Map<string, ReadDocument>;
  /** Length of all texts. */
  characters: number;
}

/** Most tokens of a document: more would keep the process busy with reading alone. */
export const maxDocumentTokens = 10_000;
/** Text of the subscriptions that are remembered for each graph, in characters; their plans take many times that. */
const maxRememberedCharacters = 1_000_000;

interface ReaderOptions {
  readonly metrics: Pick<LiveMetrics, 'planned'>;
  /** Rules of validation beside those of the specification. */
  readonly rules: readonly ValidationRule[];
  /** @default costs are not looked at */
  readonly costs?: Pick<Costs, 'check'>;
  /** @default defaultRunLimits */
  readonly limits?: Pick<RunLimits, 'checkVariables'>;
}

/** Makes a reader that parses, validates and plans each subscription once for a graph, however many clients send it. */
export function createOperationReader({
  metrics,
  rules,
  costs,
  limits = defaultRunLimits,
}: ReaderOptions): OperationReader {
  const rememberedByGraph = new WeakMap<Graph, Remembered>();

  function readDocument(graph: Graph, request: OperationRequest, grants: Grants | undefined): ReadDocument {
    const remembered = rememberedByGraph.get(graph) ?? { documents: new Map(), characters: 0 };
    rememberedByGraph.set(graph, remembered);
    const { documents } = remembered;
    const key = keyOf(request, grants);
    const known = documents.get(key);
    const read = known ?? parseAndPlan(graph, request, rules, grants);
    // Apollo Server has its own memory of other queries and mutations.
    if (!read.subscription && !read.isDeferring) return read;
    documents.delete(key);
    documents.set(key, read);
    if (!known) {
      remembered.characters += key.length;
      if (read.subscription) metrics.planned(read.subscription.plan.subgraph);
    }
    for (const oldest of documents.keys()) {
      if (remembered.characters <= maxRememberedCharacters) break;
      documents.delete(oldest);
      remembered.characters -= oldest.length;
    }
    return read;
  }

  return {
    read(graph, request, caller) {
      const tooLarge = limits.checkVariables(request.variables ?? {});
      if (tooLarge) throw new RefusedOperation([tooLarge]);
      const read = readDocument(graph, request, graph.grantsOf(caller));
      const { coerced, errors } = getVariableValues(
        graph.schema,
        read.definition.variableDefinitions ?? [],
        request.variables ?? {},
      );
      if (errors) throw new RefusedOperation(errors.map(error => withCode(error, 'BAD_USER_INPUT')));
      const tooExpensive = read.estimateCost && costs?.check(read.estimateCost(coerced));
      if (tooExpensive) throw new RefusedOperation([tooExpensive]);
      return { graph, request, ...read, variables: coerced };
    },
  };
}

function parseAndPlan(
  graph: Graph,
  request: OperationRequest,
  rules: readonly ValidationRule[],
  grants: Grants | undefined,
): ReadDocument {
  const { query, operationName } = request;
  const document = parseDocument(query);
  // Some rules of the specification take long for what ours refuse.
  const refused = validate(graph.schema, document, rules);
  const invalid = refused.length > 0 ? refused : validate(graph.schema, document, specifiedRules);
  if (invalid.length > 0)
    throw new RefusedOperation(
      invalid.map(error => withCode(error, limitOf(error) ?? 'GRAPHQL_VALIDATION_FAILED')),
    );
  const definition = getOperationAST(document, operationName);
  if (!definition)
    throw new RefusedOperation([
      new GraphQLError('The document has several operations, or none; operationName has to say which', {
        extensions: { code: 'OPERATION_RESOLUTION_FAILURE' },
      }),
    ]);
  if (definition.operation !== 'subscription')
    return { document, definition, subscription: undefined, isDeferring: hasDefer(document) };
  const resumption = resumptionOf(graph.schema, document, definition);
  const planned = withoutDenied(graph, resumption?.document ?? document, grants);
  const plan = planSubscription({ graph, document, operation: definition, planned });
  const id = createHash('sha256').update(keyOf(request, grants)).digest('base64');
  const isShareable = resumption !== undefined || !beginsAfter(document, definition);
  const subscription = { id, plan, resumption, isShareable };
  const estimateCost = graph.cost?.estimateOf(document, definition);
  return { document, definition, subscription, isDeferring: false, estimateCost };
}

/**
 * Takes the fields out of a subscription that its caller may not have.
 *
 * @throws RefusedOperation when the subscription itself is one of them
 */
function withoutDenied({ guard }: Graph, document: DocumentNode, grants: Grants | undefined): DocumentNode {
  if (!guard || !grants) return document;
  const denied = guard.deniedIn(document, grants.isGranted);
  const allowed = withoutFields(document, denied);
  if (denied.size > 0 && (grants.rejects || !selectsField(allowed)))
    throw new RefusedOperation([...denied].map(({ name }) => deniedError(name.value, grants.deniedCode)));
  return allowed;
}

/** Tells whether the operation of a document has a field of its own left. */
function selectsField(document: DocumentNode): boolean {
  const fragments = fragmentsOf(document);
  const selects = ({ selections }: SelectionSetNode): boolean =>
    selections.some(selection => {
      if (selection.kind === Kind.FIELD) return !selection.name.value.startsWith('__');
      const inner = selection.kind === Kind.INLINE_FRAGMENT ? selection : fragments.get(selection.name.value);
      return inner !== undefined && selects(inner.selectionSet);
    });
  return document.definitions.some(
    definition => definition.kind === Kind.OPERATION_DEFINITION && selects(definition.selectionSet),
  );
}

/** Requests with the same key are planned alike. */
function keyOf({ operationName, query }: OperationRequest, grants: Grants | undefined): string {
  return `${grants?.key ?? ''}\n${operationName ?? ''}\n${query}`;
}

function parseDocument(query: string): DocumentNode {
  try {
    return parse(query, { maxTokens: maxDocumentTokens });
  } catch (error) {
    throw new RefusedOperation([withCode(error as GraphQLError, 'GRAPHQL_PARSE_FAILED')]);
  }
}

function withCode(error: GraphQLError, code: string): GraphQLError {
  return new GraphQLError(error.message, {
    nodes: error.nodes ?? null,
    source: error.source ?? null,
    positions: error.positions ?? null,
    extensions: { code },
  });
}
