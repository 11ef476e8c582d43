import type { FetchNode, QueryPlan, SubscriptionNode } from '@apollo/query-planner';
import type { DocumentNode, ExecutionResult, GraphQLFormattedError, OperationDefinitionNode } from 'graphql';
import { compileOperation } from '../execution/operation.ts';
import { separateArguments } from '../execution/required-arguments.ts';
import type { FetchFromSubgraph } from '../execution/subgraph-answer.ts';
import { type PassedHeaders, passOneWay } from '../header-rules.ts';
import type { OperationCaller } from '../security/operation-caller.ts';
import type { Graph } from '../supergraph/graph/graph.ts';
import { Turn } from '../turn.ts';
import type { EntityBatches } from './entity-batches.ts';

/** A subscription, planned for one graph: what its subgraph runs, and what completes each event. */
export interface SubscriptionPlan {
  /** Name of the subgraph that has the subscription. */
  readonly subgraph: string;
  /** Document that the subgraph runs. */
  readonly query: string;
  readonly operationName: string | undefined;
  readonly variableNames: readonly string[];
  /** Runs what follows for one event: fields of other subgraphs, and the shape that the client asked for. */
  runEvent(event: SubgraphEvent, run: EventRun): Promise<ExecutionResult>;
}

/** An event as the subgraph sends it. */
export interface SubgraphEvent {
  readonly data?: Record<string, unknown> | null | undefined;
  readonly errors?: readonly GraphQLFormattedError[] | null | undefined;
  readonly extensions?: Readonly<Record<string, unknown>> | undefined;
}

/** Caller, variables and headers of one event's run. */
export interface EventRun {
  /** Coerced by the graph's schema. */
  readonly variables: Readonly<Record<string, unknown>>;
  readonly caller: OperationCaller;
  /** Headers of the client's request that go to subgraphs. */
  readonly headers: PassedHeaders['request'];
  /** Fetches of the events that have the same variables, caller and headers. */
  readonly batches: EntityBatches;
}

interface PlanOptions {
  readonly graph: Graph;
  /** Document that the client sent; it decides the shape of the results. */
  readonly document: DocumentNode;
  readonly operation: OperationDefinitionNode;
  /** Document that is planned: the same, with the fields that the gateway needs besides. */
  readonly planned: DocumentNode;
}

/**
 * Plans a subscription, once for all its events, and for callers that may have the same. Apollo's planner splits it into `primary`, the
 * subscription of one subgraph, and `rest`, the fetches that complete an event. Each event is run as a plan in which it is
 * the answer of `primary`.
 *
 * @throws GraphQLError when it can't be planned
 */
export function planSubscription(options: PlanOptions): SubscriptionPlan {
  const { graph, document, operation, planned } = options;
  const { schema, supergraphSchema, separated, guard } = graph;
  const { node } = graph.plan(separateArguments(planned, separated), operation.name?.value);
  if (node?.kind !== 'Subscription')
    throw new Error(`The plan of a subscription begins with a node ${node?.kind}`);
  const { primary } = node;
  const plan = planOfEvent(node);
  const planOf = () => plan;
  const completion = compileOperation({
    schema,
    supergraphSchema,
    document,
    operation,
    separated,
    guard,
    planOf,
  });

  return {
    subgraph: primary.serviceName,
    query: primary.operation,
    operationName: primary.operationName,
    variableNames: primary.variableUsages ?? [],
    async runEvent(event, { variables, caller, headers, batches }) {
      await graph.prepare(caller);
      const context = { caller, address: '', headers: passOneWay(headers), turn: new Turn() };
      const fetch = withEvent(batches.batched(graph.fetchFor(context)), primary, event);
      // It waits for no turn: its data is there already, and most events need nothing more.
      return completion.run({ variables, grants: graph.grantsOf(caller), fetch });
    },
  };
}

function planOfEvent({ primary, rest }: SubscriptionNode): QueryPlan {
  return {
    kind: 'QueryPlan',
    node: rest ? { kind: 'Sequence', nodes: [primary, rest] } : primary,
  };
}

/** Fetches from the graph's subgraphs, but for `primary`, which the event answers. */
function withEvent(fetch: FetchFromSubgraph, primary: FetchNode, event: SubgraphEvent): FetchFromSubgraph {
  return (subgraph, request) =>
    subgraph === primary.serviceName && request.query === primary.operation
      ? Promise.resolve(event)
      : fetch(subgraph, request);
}
