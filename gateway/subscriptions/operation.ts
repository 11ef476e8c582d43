import { createHash } from 'node:crypto';
import {
  type DocumentNode,
  GraphQLError,
  getOperationAST,
  getVariableValues,
  type OperationDefinitionNode,
  parse,
  validate,
} from 'graphql';
import type { Logger } from '../../platform/log.ts';
import { planSubscription, type SubscriptionPlan } from '../execution/subscription-plan.ts';
import type { Graph } from '../supergraph/graph.ts';
import { type Resumption, resumptionOf } from './resumption.ts';

/** What a client asks for, as every transport brings it. */
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
}

/** A subscription's document, planned for one graph. */
export interface PlannedSubscription {
  /** The same for the same text, in whichever graph. */
  readonly id: string;
  readonly plan: SubscriptionPlan;
  readonly resumption: Resumption | undefined;
}

/** Reads operations and checks them against a graph. */
export interface OperationReader {
  /** @throws RefusedOperation when it is not valid */
  read(graph: Graph, request: OperationRequest): Operation;
}

/** Why an operation is not run. */
export class RefusedOperation extends Error {
  override readonly name = 'RefusedOperation';
  readonly errors: readonly GraphQLError[];

  constructor(errors: readonly GraphQLError[]) {
    super(errors.map(({ message }) => message).join('; '));
    this.errors = errors;
  }
}

interface ReadDocument {
  readonly document: DocumentNode;
  readonly definition: OperationDefinitionNode;
  readonly subscription: PlannedSubscription | undefined;
}

/** Documents that are remembered for each graph, the latest used. */
const maxRememberedDocuments = 1_000;

/** Makes a reader that parses, validates and plans each document once for a graph, however many clients send it. */
export function createOperationReader(log: Logger): OperationReader {
  const documentsByGraph = new WeakMap<Graph, Map<string, ReadDocument>>();

  function readDocument(graph: Graph, request: OperationRequest): ReadDocument {
    const documents = documentsByGraph.get(graph) ?? new Map<string, ReadDocument>();
    documentsByGraph.set(graph, documents);
    const key = `${request.operationName ?? ''}\n${request.query}`;
    const read = documents.get(key) ?? parseAndPlan(graph, request, log);
    documents.delete(key);
    documents.set(key, read);
    if (documents.size > maxRememberedDocuments) documents.delete(documents.keys().next().value ?? '');
    return read;
  }

  return {
    read(graph, request) {
      const read = readDocument(graph, request);
      const { coerced, errors } = getVariableValues(
        graph.schema,
        read.definition.variableDefinitions ?? [],
        request.variables ?? {},
      );
      if (errors) throw new RefusedOperation(errors.map(error => withCode(error, 'BAD_USER_INPUT')));
      return { graph, request, ...read, variables: coerced };
    },
  };
}

function parseAndPlan(graph: Graph, { query, operationName }: OperationRequest, log: Logger): ReadDocument {
  const document = parseDocument(query);
  const invalid = validate(graph.schema, document);
  if (invalid.length > 0)
    throw new RefusedOperation(invalid.map(error => withCode(error, 'GRAPHQL_VALIDATION_FAILED')));
  const definition = getOperationAST(document, operationName);
  if (!definition)
    throw new RefusedOperation([
      new GraphQLError('The message expected one operation, or the name of one', {
        extensions: { code: 'OPERATION_RESOLUTION_FAILURE' },
      }),
    ]);
  if (definition.operation !== 'subscription') return { document, definition, subscription: undefined };
  const resumption = resumptionOf(graph.schema, document, definition);
  const planned = resumption?.document ?? document;
  const plan = planSubscription({ graph, document, operation: definition, planned, log });
  const id = createHash('sha256')
    .update(`${operationName ?? ''}\n${query}`)
    .digest('base64');
  return { document, definition, subscription: { id, plan, resumption } };
}

function parseDocument(query: string): DocumentNode {
  try {
    return parse(query);
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
