import type { Schema } from '@apollo/federation-internals';
import { operationFromDocument } from '@apollo/federation-internals';
import { ApolloGateway, type GraphQLDataSource } from '@apollo/gateway';
import type { QueryPlan, QueryPlanner } from '@apollo/query-planner';
import type { GatewayExecutor } from '@apollo/server-gateway-interface';
import { type DocumentNode, GraphQLError, GraphQLSchema, getOperationAST, OperationTypeNode } from 'graphql';
import { LRUCache } from 'lru-cache';
import type { Logger } from '../../../platform/log.ts';
import { type Authorization, byTokenAlone } from '../../authorization/authorization.ts';
import { createFieldGuard } from '../../authorization/field-guard.ts';
import { takeRequirements } from '../../authorization/requirements.ts';
import type { Costs } from '../../cost/costs.ts';
import type { CostModel } from '../../execution/cost.ts';
import { withoutDefer } from '../../execution/defer.ts';
import { copyFields } from '../../execution/field-copies/add-copies.ts';
import { resolveCopies } from '../../execution/field-copies/resolve-copies.ts';
import type { FieldGuard, Grants } from '../../execution/guard.ts';
import type { RunLimits } from '../../execution/limits.ts';
import {
  compileIncremental,
  compileOperation,
  type ExecutableOperation,
  type IncrementalOperation,
  type OperationRequest,
} from '../../execution/operation.ts';
import {
  type FieldsRequiredWithArguments,
  fieldsRequiredWithArguments,
} from '../../execution/required-arguments.ts';
import type { FetchFromSubgraph, SubgraphAnswer, SubgraphRequest } from '../../execution/subgraph-answer.ts';
import type { CompileOptions } from '../../execution/variants.ts';
import type { OperationContext } from '../../operation-context.ts';
import { withReports } from '../../reports.ts';
import type { OperationCaller } from '../../security/operation-caller.ts';
import type { Subgraph } from '../composition/compose.ts';
import { deferDirective } from './defer-directive.ts';
import type { SeenOperation } from './seen-operation.ts';

/**
 * One composed graph that can be queried. It never changes: a new composition is a new graph, so that an operation ends
 * on the schema that it began with.
 */
export interface Graph {
  readonly supergraphSdl: string;
  /** By name. */
  readonly subgraphs: readonly Subgraph[];
  /** Schema that clients see. */
  readonly schema: GraphQLSchema;
  /** The supergraph's schema as graphql-js has it, with what clients do not see. */
  readonly supergraphSchema: GraphQLSchema;
  /** Fields that plans have under names of their own. */
  readonly separated: FieldsRequiredWithArguments;
  /** Costs of its operations; undefined when they are not looked at. */
  readonly cost: CostModel | undefined;
  /** Guard of fields that not every caller may have; undefined when there are none. */
  readonly guard: FieldGuard | undefined;
  /** Asks its subgraphs, on behalf of a client. */
  fetchFor(context: OperationContext): FetchFromSubgraph;
  /** Input of a run on behalf of a client. A mutation runs to its end, whoever has left. */
  requestFor(
    kind: OperationTypeNode,
    variables: OperationRequest['variables'],
    context: OperationContext,
  ): OperationRequest;
  /** Makes sure that it is decided what a caller may have. Await it before a run. */
  prepare(caller: OperationCaller): Promise<void>;
  /** Requirements that a caller fulfils; undefined when no field has any. */
  grantsOf(caller: OperationCaller): Grants | undefined;
  /** Runs a query or mutation, as Apollo Server hands it over. */
  readonly execute: GatewayExecutor;
  /** Plans an operation that is valid in `schema`. @throws GraphQLError when it can't be planned */
  plan(document: DocumentNode, operationName: string | undefined): QueryPlan;
  /**
   * The operation, planned and compiled; undefined when the document has no such operation, or several and none is named.
   * @throws GraphQLError when it can't be planned
   */
  compiled(operation: SeenOperation): ExecutableOperation | undefined;
  /** The same, for an answer whose fragments with `@defer` come after the rest. */
  compiledIncremental(operation: SeenOperation): IncrementalOperation | undefined;
  /** Plans and compiles an operation before it is sent, if it can be planned. */
  warm(operation: SeenOperation): Promise<void>;
  close(): Promise<void>;
}

/** Asks one subgraph, for one operation of a client. It does not reject: failures are answers. */
export type SubgraphClient = (request: SubgraphRequest, context: OperationContext) => Promise<SubgraphAnswer>;

/** What a graph is made of. */
export interface GraphOptions {
  /** @default costs are not looked at */
  readonly costs?: Costs;
  /** @default defaultRunLimits */
  readonly limits?: RunLimits;
  /** @default only what tokens say is granted */
  readonly authorization?: Authorization;
  readonly supergraphSdl: string;
  readonly subgraphs: readonly Subgraph[];
  readonly clientOf: (subgraph: Subgraph) => SubgraphClient;
  /** Compiled operations that are kept. */
  readonly maxPlans: number;
  readonly log: Logger;
}

/** Private fields of Apollo Gateway that planning needs. */
interface GatewayInternals {
  readonly apiSchema: Schema | undefined;
  readonly queryPlanner: QueryPlanner | undefined;
  readonly supergraphSchema: GraphQLSchema | undefined;
}

/**
 * Makes a graph that an Apollo Gateway of its own plans, and that this process executes.
 *
 * @throws when the supergraph is not valid
 */
export async function createGraph(options: GraphOptions): Promise<Graph> {
  const { supergraphSdl, subgraphs, clientOf, maxPlans, log, authorization = byTokenAlone } = options;
  const guarded = takeRequirements(supergraphSdl);
  const copies = copyFields(guarded.supergraphSdl);
  const fetchFor = createFetchFor(new Map(subgraphs.map(each => [each.name, clientOf(each)])));
  const { gateway, apiSchema, queryPlanner, supergraphSchema, schema } = await loadGateway(
    copies?.supergraphSdl ?? guarded.supergraphSdl,
    log,
  );
  const cost = options.costs?.modelOf(supergraphSdl, schema);
  const guard = guarded.requirements && createFieldGuard(schema, guarded.requirements);
  const separated = fieldsRequiredWithArguments(supergraphSchema);

  function plan(document: DocumentNode, operationName: string | undefined): QueryPlan {
    const options = operationName === undefined ? {} : { operationName };
    const planned = queryPlanner.buildQueryPlan(operationFromDocument(apiSchema, document, options));
    return copies ? resolveCopies(planned, copies) : planned;
  }

  /** Compiles an operation once. */
  function createCompiler<Compiled extends {}>(
    compile: (options: CompileOptions) => Compiled,
  ): (operation: SeenOperation) => Compiled | undefined {
    const known = new LRUCache<string, Compiled>({ max: maxPlans });
    return ({ document, queryHash, operationName }) => {
      const key = `${queryHash} ${operationName ?? ''}`;
      const found = known.get(key);
      if (found) return found;
      const operation = getOperationAST(document, operationName);
      if (!operation) return undefined;
      const compiled = compile({
        schema,
        supergraphSchema,
        document,
        operation,
        separated,
        guard,
        cost,
        limits: options.limits,
        planOf: decided => plan(decided, operationName),
      });
      known.set(key, compiled);
      return compiled;
    };
  }
  const compiled = createCompiler<ExecutableOperation>(compileOperation);
  const compiledIncremental = createCompiler<IncrementalOperation>(compileIncremental);

  const grantsOf = guarded.requirements ? authorization.grantsFor(guarded.requirements) : () => undefined;

  function requestFor(
    kind: OperationTypeNode,
    variables: OperationRequest['variables'],
    context: OperationContext,
  ): OperationRequest {
    return {
      variables,
      grants: grantsOf(context.caller),
      fetch: fetchFor(kind === OperationTypeNode.MUTATION ? { ...context, signal: undefined } : context),
      waitForTurn: () => context.turn.wait(),
      costs: options.costs?.accountOf(context),
    };
  }

  return {
    supergraphSdl,
    subgraphs,
    schema,
    supergraphSchema,
    separated,
    guard,
    cost,
    grantsOf,
    prepare: async caller => {
      if (guarded.requirements) await authorization.prepare(caller);
    },
    async execute({ document, queryHash, request, context }) {
      const { operationName, variables = {} } = request;
      const operation = compiled({ document, queryHash, operationName });
      if (!operation) return { errors: [unknownOperation(operationName)] };
      const client = context as OperationContext;
      const asked = requestFor(operation.kind, variables, client);
      return withReports(await operation.run(asked), client, () => operation.planFor(asked));
    },
    plan: (document, operationName) => plan(withoutDefer(document), operationName),
    compiled,
    compiledIncremental,
    warm(operation) {
      try {
        compiled(operation);
      } catch (error) {
        log.debug({ err: error }, 'An operation could not be planned on the new graph');
      }
      return Promise.resolve();
    },
    fetchFor,
    requestFor,
    close: () => gateway.stop(),
  };
}

/** Makes the function that asks the subgraphs of a graph by their names. */
function createFetchFor(clients: ReadonlyMap<string, SubgraphClient>): Graph['fetchFor'] {
  return context => (subgraph, request) => {
    const client = clients.get(subgraph);
    if (!client) throw new Error(`The query plan names the subgraph '${subgraph}', which the graph lacks`);
    return client(request, context);
  };
}

/** Starts an Apollo Gateway of one supergraph. @throws when the supergraph is not valid */
async function loadGateway(supergraphSdl: string, log: Logger) {
  const gateway = new ApolloGateway({
    supergraphSdl,
    // What our own composition has made is not checked again.
    validateSupergraph: false,
    queryPlannerConfig: { incrementalDelivery: { enableDefer: true } },
    logger: quiet(log),
    buildService: () => neverAsked,
  });
  const loaded = await gateway.load();
  const { apiSchema, queryPlanner, supergraphSchema } = gateway as unknown as GatewayInternals;
  if (!apiSchema || !queryPlanner || !supergraphSchema)
    throw new Error('Apollo Gateway has no query planner after loading');
  return { gateway, apiSchema, queryPlanner, supergraphSchema, schema: withDefer(loaded.schema) };
}

/** Adds `@defer` to what clients see, as Apollo's planner knows it. */
function withDefer(schema: GraphQLSchema): GraphQLSchema {
  return new GraphQLSchema({
    ...schema.toConfig(),
    directives: [...schema.getDirectives(), deferDirective],
  });
}

/** Apollo Gateway wants a data source for each subgraph; it plans here, and executes nothing. */
const neverAsked: GraphQLDataSource = {
  process: () => Promise.reject(new Error('Apollo Gateway does not execute query plans here')),
};

/** An error that Apollo Server answers with status 400 and OPERATION_RESOLUTION_FAILURE. */
function unknownOperation(operationName: string | undefined): GraphQLError {
  return new GraphQLError(
    operationName === undefined
      ? 'The document has several operations; operationName has to say which'
      : `The document has no operation with the name '${operationName}'`,
  );
}

/** Apollo Gateway announces each load; with a gateway for each graph, we do that ourselves. */
function quiet(log: Logger) {
  const { debug, warn, error } = log;
  return { debug: debug.bind(log), info: debug.bind(log), warn: warn.bind(log), error: error.bind(log) };
}
