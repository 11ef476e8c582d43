import { executeQueryPlan, type GraphQLDataSource } from '@apollo/gateway';
import type { FetchNode, QueryPlan, SubscriptionNode } from '@apollo/query-planner';
import type { GatewayGraphQLRequestContext } from '@apollo/server-gateway-interface';
import type {
  DocumentNode,
  ExecutionResult,
  FragmentDefinitionNode,
  GraphQLFormattedError,
  OperationDefinitionNode,
} from 'graphql';
import { Kind } from 'graphql';
import type { Logger } from '../../platform/log.ts';
import type { OperationContext } from '../operation-context.ts';
import { type PassedHeaders, passOneWay } from '../routing/header-rules.ts';
import type { OperationCaller } from '../security/operation-caller.ts';
import type { Graph } from '../supergraph/graph.ts';

/** A subscription, planned for one graph: what its subgraph runs, and what completes each event. */
export interface SubscriptionPlan {
  /** Name of the subgraph that has the subscription. */
  readonly subgraph: string;
  /** What that subgraph is asked to run. */
  readonly query: string;
  readonly operationName: string | undefined;
  readonly variableNames: readonly string[];
  /** Runs what follows for one event: fields of other subgraphs, and the shape that the client asked for. */
  runEvent(event: SubgraphEvent, run: EventRun): Promise<ExecutionResult>;
}

/** An event as the subgraph sends it. */
export interface SubgraphEvent {
  readonly data?: Record<string, unknown> | null | undefined;
  readonly errors?: readonly GraphQLFormattedError[] | undefined;
}

/** Whom an event is completed for. */
export interface EventRun {
  /** Coerced by the graph's schema. */
  readonly variables: Readonly<Record<string, unknown>>;
  readonly caller: OperationCaller;
  /** Headers of the client's request that go to subgraphs. */
  readonly headers: PassedHeaders['request'];
}

interface PlanOptions {
  readonly graph: Graph;
  /** What the client sent; it decides the shape of the results. */
  readonly document: DocumentNode;
  readonly operation: OperationDefinitionNode;
  /** What is planned: the same, with what the gateway wants to know beside it. */
  readonly planned: DocumentNode;
  readonly log: Logger;
}

/**
 * Plans a subscription, once for all its events and all its callers. Apollo's planner splits it into `primary`, the
 * subscription of one subgraph, and `rest`, the fetches that complete an event. Apollo Gateway does not run such plans;
 * it does run one in which `primary` is a query that answers with the event.
 *
 * @throws GraphQLError when it can't be planned
 */
export function planSubscription(options: PlanOptions): SubscriptionPlan {
  const { graph, document, operation, planned, log } = options;
  const { node } = graph.plan(planned, operation.name?.value);
  if (node?.kind !== 'Subscription')
    throw new Error(`The plan expected a Subscription node, but has ${node?.kind}`);
  const { primary } = node;
  const eventPlan = planOfEvent(node);
  const operationContext = { schema: graph.schema, operation, fragments: fragmentsOf(document) };

  return {
    subgraph: primary.serviceName,
    query: primary.operation,
    operationName: primary.operationName,
    variableNames: primary.variableUsages ?? [],
    async runEvent(event, { variables, caller, headers }) {
      const requestContext = {
        request: { variables },
        context: { caller, headers: passOneWay(headers) } satisfies OperationContext,
        logger: log,
        metrics: {},
        schema: graph.schema,
      } as unknown as GatewayGraphQLRequestContext;
      return executeQueryPlan(
        eventPlan,
        withEvent(graph.dataSources, primary, event),
        requestContext as unknown as Parameters<typeof executeQueryPlan>[2],
        operationContext,
        graph.supergraphSchema,
        graph.apiSchema,
      ) as Promise<ExecutionResult>;
    },
  };
}

function planOfEvent({ primary, rest }: SubscriptionNode): QueryPlan {
  return {
    kind: 'QueryPlan',
    node: rest ? { kind: 'Sequence', nodes: [primary, rest] } : primary,
  };
}

/** The graph's data sources, but for `primary`, which the event answers. */
function withEvent(
  dataSources: Graph['dataSources'],
  primary: FetchNode,
  event: SubgraphEvent,
): Record<string, GraphQLDataSource> {
  const real = dataSources[primary.serviceName];
  const withEvent: GraphQLDataSource = {
    async process(options) {
      if (options.request.query === primary.operation) return event as { data: Record<string, unknown> };
      if (!real)
        throw new Error(`The graph expected a data source for '${primary.serviceName}', but has none`);
      return real.process(options);
    },
  };
  return { ...dataSources, [primary.serviceName]: withEvent };
}

function fragmentsOf(document: DocumentNode): Record<string, FragmentDefinitionNode> {
  return Object.fromEntries(
    document.definitions
      .filter(definition => definition.kind === Kind.FRAGMENT_DEFINITION)
      .map(fragment => [fragment.name.value, fragment]),
  );
}
