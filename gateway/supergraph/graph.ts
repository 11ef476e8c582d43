import type { Schema } from '@apollo/federation-internals';
import { operationFromDocument } from '@apollo/federation-internals';
import { ApolloGateway, type GraphQLDataSource } from '@apollo/gateway';
import type { QueryPlan, QueryPlanner } from '@apollo/query-planner';
import type { GatewayExecutor } from '@apollo/server-gateway-interface';
import type { DocumentNode, GraphQLSchema } from 'graphql';
import type { Logger } from '../../platform/log.ts';
import type { Subgraph } from './compose.ts';
import type { SeenOperation } from './hot-operations.ts';
import { createPlanCache, planKeyOf } from './plan-cache.ts';

/**
 * One composed graph that can be queried. It never changes: a new composition is a new graph, so that an operation ends
 * on the schema that it began with.
 */
export interface Graph {
  readonly supergraphSdl: string;
  /** By name. */
  readonly subgraphs: readonly Subgraph[];
  /** What clients see. */
  readonly schema: GraphQLSchema;
  /** The supergraph's schema as graphql-js has it, with what clients do not see. */
  readonly supergraphSchema: GraphQLSchema;
  /** The client's schema as Apollo's federation libraries have it. */
  readonly apiSchema: Schema;
  readonly dataSources: Readonly<Record<string, GraphQLDataSource>>;
  /** Runs a query or mutation, as Apollo Server hands it over. */
  readonly execute: GatewayExecutor;
  /** Plans an operation that is valid in `schema`. @throws GraphQLError when it can't be planned */
  plan(document: DocumentNode, operationName: string | undefined): QueryPlan;
  /** Plans an operation before it is sent, if it can be planned. */
  warm(operation: SeenOperation): Promise<void>;
  close(): Promise<void>;
}

interface GraphOptions {
  readonly supergraphSdl: string;
  readonly subgraphs: readonly Subgraph[];
  readonly dataSourceOf: (subgraph: Subgraph) => GraphQLDataSource;
  /** Query plans that are kept. */
  readonly maxPlans: number;
  readonly log: Logger;
}

/** What Apollo Gateway has for itself, and planning subscriptions needs. */
interface GatewayInternals {
  readonly apiSchema: Schema | undefined;
  readonly queryPlanner: QueryPlanner | undefined;
  readonly supergraphSchema: GraphQLSchema | undefined;
}

/** Makes a graph that runs on an Apollo Gateway of its own. @throws when the supergraph is not valid */
export async function createGraph(options: GraphOptions): Promise<Graph> {
  const { supergraphSdl, subgraphs, dataSourceOf, maxPlans, log } = options;
  const dataSources = Object.fromEntries(subgraphs.map(each => [each.name, dataSourceOf(each)]));
  const plans = createPlanCache(maxPlans);
  const gateway = new ApolloGateway({
    supergraphSdl,
    // What our own composition has made is not checked again.
    validateSupergraph: false,
    logger: quiet(log),
    queryPlannerConfig: { cache: plans },
    buildService({ name }) {
      const dataSource = dataSources[name];
      if (!dataSource)
        throw new Error(`The supergraph names the subgraph '${name}', which it is not made of`);
      return dataSource;
    },
  });
  const { schema, executor } = await gateway.load();
  const { apiSchema, queryPlanner, supergraphSchema } = gateway as unknown as GatewayInternals;
  if (!apiSchema || !queryPlanner || !supergraphSchema)
    throw new Error('Apollo Gateway expected to have a query planner after loading, but has none');

  function plan(document: DocumentNode, operationName: string | undefined): QueryPlan {
    const options = operationName === undefined ? {} : { operationName };
    return (queryPlanner as QueryPlanner).buildQueryPlan(
      operationFromDocument(apiSchema as Schema, document, options),
    );
  }

  return {
    supergraphSdl,
    subgraphs,
    schema,
    supergraphSchema,
    apiSchema,
    dataSources,
    execute: executor as unknown as GatewayExecutor,
    plan,
    async warm({ document, queryHash, operationName }) {
      try {
        await plans.set(planKeyOf(queryHash, operationName), plan(document, operationName));
      } catch (error) {
        log.debug({ err: error }, 'An operation could not be planned on the new graph');
      }
    },
    close: () => gateway.stop(),
  };
}

/** Apollo Gateway announces each load; with a gateway for each graph, we do that ourselves. */
function quiet(log: Logger) {
  const { debug, warn, error } = log;
  return { debug: debug.bind(log), info: debug.bind(log), warn: warn.bind(log), error: error.bind(log) };
}
