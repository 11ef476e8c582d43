import { isDeepStrictEqual } from 'node:util';
import { ApolloGateway } from '@apollo/gateway';
import { ApolloServer } from '@apollo/server';
import { buildSubgraphSchema } from '@apollo/subgraph';
import { type ExecutionResult, execute, type GraphQLFieldResolver, type GraphQLSchema, parse } from 'graphql';
import { Registry } from 'prom-client';
import { onTestFinished } from 'vitest';
import { silentLog } from '../../platform/log.ts';
import { copyOf, mergeInto } from '../execution/data.ts';
import type { Pending } from '../execution/incremental.ts';
import type { SubgraphAnswer, SubgraphRequest } from '../execution/subgraph-answer.ts';
import { passHeaders } from '../header-rules.ts';
import type { OperationContext } from '../operation-context.ts';
import { createKnownOperations } from '../operations/known-operations.ts';
import { createOperationRunner } from '../operations/operation-runner.ts';
import { anonymous } from '../security/operation-caller.ts';
import { compose } from '../supergraph/composition/compose.ts';
import { createSwappingGateway } from '../supergraph/graph/apollo-gateway.ts';
import { createGraph, type Graph } from '../supergraph/graph/graph.ts';
import { Turn } from '../turn.ts';

type Row = Readonly<Record<string, unknown>>;

/** Data of all subgraphs of a federation, as one object graph. An Error stands for a resolver that throws. */
export interface World {
  /** Values and functions of the fields of Query and Mutation. */
  readonly root: Row;
  /** Entities by the name of their type, each with all its fields. */
  readonly entities: Readonly<Record<string, readonly Row[]>>;
}

/** Subgraphs of one supergraph over one world. */
export interface Federation {
  /** SDLs by subgraph, without the link to the federation's specification. */
  readonly subgraphs: Readonly<Record<string, string>>;
  readonly world: World;
  /** Names of the key fields by type. @default `id` */
  readonly keys?: Readonly<Record<string, readonly string[]>>;
  /** Takes the place of a subgraph, or changes its answer. */
  readonly intercept?: (
    subgraph: string,
    request: SubgraphRequest,
    answer: () => Promise<SubgraphAnswer>,
  ) => Promise<SubgraphAnswer>;
}

/** A result as a client sees it. */
export type ClientResult = Pick<ExecutionResult, 'data' | 'errors' | 'extensions'>;

/** An answer that came in parts. */
export interface PartedResult extends ClientResult {
  readonly parts: readonly { readonly data: unknown; readonly pending: readonly Pending[] }[];
}

/** One federation, run three ways. */
export interface RunningFederation {
  readonly schema: GraphQLSchema;
  readonly graph: Graph;
  /** Through Apollo Server and the gateway's own execution. */
  ours(query: string, variables?: Record<string, unknown>, operationName?: string): Promise<ClientResult>;
  /**
   * The same, for an operation that was run before: without Apollo Server. Undefined when Apollo Server has to answer, as it
   * has to for wrong variables.
   */
  again(
    query: string,
    variables?: Readonly<Record<string, unknown>>,
    operationName?: string,
  ): Promise<ClientResult | undefined>;
  /** In parts, put together as a client does; with the number of parts. */
  inParts(query: string, variables?: Readonly<Record<string, unknown>>): Promise<PartedResult>;
  /** Through Apollo Server and Apollo Gateway's execution. */
  stock(query: string, variables?: Record<string, unknown>): Promise<ClientResult>;
  /** By graphql-js, over one schema with the same data. */
  plain(query: string, variables?: Record<string, unknown>): Promise<ClientResult>;
}

const link =
  'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@requires", "@provides", "@external", "@shareable", "@override", "@inaccessible", "@interfaceObject"])\n';

/** Starts a federation until the test ends. */
export async function startFederation(federation: Federation): Promise<RunningFederation> {
  const subgraphs = Object.entries(federation.subgraphs).map(([name, sdl]) => ({
    name,
    hash: '1',
    sdl: link + sdl,
  }));
  const outcome = compose(subgraphs);
  if (outcome.kind === 'failed') throw new Error(outcome.faults.map(({ message }) => message).join('\n'));
  const { supergraphSdl } = outcome;
  const schemas = new Map(subgraphs.map(({ name, sdl }) => [name, subgraphSchemaOf(federation, sdl)]));
  const ask = async (name: string, request: SubgraphRequest): Promise<SubgraphAnswer> => {
    const schema = schemas.get(name) as GraphQLSchema;
    const { variables } = JSON.parse(request.body) as { variables: Record<string, unknown> };
    const answer = () => run(federation, schema, request.query, variables);
    const given = federation.intercept ? federation.intercept(name, request, answer) : answer();
    return JSON.parse(JSON.stringify(await given)) as SubgraphAnswer;
  };

  const graph = await createGraph({
    supergraphSdl,
    subgraphs,
    maxPlans: 1_000,
    log: silentLog,
    clientOf:
      ({ name }) =>
      request =>
        ask(name, request),
  });
  onTestFinished(() => graph.close());
  const onGraph = (callback: (served: Graph) => void) => {
    callback(graph);
    return () => {};
  };
  const known = createKnownOperations(1_000);
  const ours = await serve(
    createSwappingGateway(
      { onGraph },
      {
        onServed: served => known.serve(served),
        onOperation: (source, operation, served) => known.add(source, operation, served),
      },
    ),
  );
  const runner = createOperationRunner({
    known,
    hotOperations: { see() {} },
    formatError: formatted => formatted,
    rules: { toSubgraphs: [], toClients: [] },
    deduplicates: true,
    metrics: new Registry(),
  });
  const stock = await serve(
    new ApolloGateway({
      supergraphSdl,
      logger: silentLog,
      buildService: ({ name }) => ({
        process: async ({ request: { query = '', variables = {} } }) =>
          (await ask(name, { query, isMutation: false, body: JSON.stringify({ query, variables }) })) as {
            data: Record<string, unknown>;
          },
      }),
    }),
  );
  return {
    schema: graph.schema,
    graph,
    ours: (query, variables, operationName) => askServer(ours, query, variables, operationName),
    async again(query, variables, operationName) {
      const body = { query, variables, operationName };
      const answer = await runner.run({
        asked: { method: 'POST', text: JSON.stringify(body), parse: () => body },
        headers: {},
        caller: anonymous,
        address: '',
        onGone() {},
      });
      return answer && (JSON.parse(answer.body.toString()) as ClientResult);
    },
    inParts: (query, variables = {}) => askInParts(graph, query, variables),
    stock: (query, variables) => askServer(stock, query, variables),
    plain: async (query, variables = {}) =>
      JSON.parse(JSON.stringify(await run(federation, graph.schema, query, variables))) as ClientResult,
  };
}

async function serve(gateway: ConstructorParameters<typeof ApolloServer<OperationContext>>[0]['gateway']) {
  const server = new ApolloServer<OperationContext>({
    gateway: gateway as NonNullable<typeof gateway>,
    stopOnTerminationSignals: false,
    includeStacktraceInErrorResponses: false,
    logger: silentLog,
  });
  await server.start();
  onTestFinished(() => server.stop());
  return server;
}

async function askServer(
  server: ApolloServer<OperationContext>,
  query: string,
  variables: Record<string, unknown> = {},
  operationName?: string,
): Promise<ClientResult> {
  const { body } = await server.executeOperation(
    { query, variables, ...(operationName === undefined ? {} : { operationName }) },
    { contextValue: context() },
  );
  if (body.kind !== 'single') throw new Error('Apollo Server answered with parts');
  return JSON.parse(JSON.stringify(body.singleResult)) as ClientResult;
}

/** Context of an operation of a client without a token. */
function context(): OperationContext {
  return {
    caller: anonymous,
    address: '',
    turn: new Turn(),
    headers: passHeaders({ toSubgraphs: [], toClients: [] }, {}),
  };
}

/** Runs an operation whose fragments with `@defer` come later, and merges what comes. */
async function askInParts(
  graph: Graph,
  query: string,
  variables: Readonly<Record<string, unknown>>,
): Promise<PartedResult> {
  const seen = { document: parse(query), queryHash: query, operationName: undefined };
  const operation = graph.compiledIncremental(seen);
  if (!operation) throw new Error('The document has several operations');
  const result = await operation.run(graph.requestFor(operation.kind, variables, context()));
  const { data, errors = [] } = 'initial' in result ? result.initial : result;
  const merged = copyOf(data ?? null);
  const parts: PartedResult['parts'][number][] = [
    { data: copyOf(data), pending: 'initial' in result ? result.pending : [] },
  ];
  const allErrors = [...errors];
  if ('initial' in result)
    for await (const batch of result.batches) {
      for (const part of batch.results) {
        let target: unknown = merged;
        for (const key of part.path) target = (target as Record<string | number, unknown>)[key];
        if (part.data) mergeInto(target as Record<string, unknown>, copyOf(part.data));
        allErrors.push(...part.errors);
      }
      parts.push({ data: batch.results.map(part => part.data), pending: batch.pending });
    }
  return JSON.parse(
    JSON.stringify({ data: merged, ...(allErrors.length > 0 ? { errors: allErrors } : {}), parts }),
  ) as PartedResult;
}

/** Runs a document over the world. */
async function run(
  { world }: Federation,
  schema: GraphQLSchema,
  query: string,
  variables: Readonly<Record<string, unknown>>,
): Promise<SubgraphAnswer> {
  const result = await execute({
    schema,
    document: parse(query),
    rootValue: world.root,
    variableValues: variables,
    fieldResolver: resolveField,
  });
  return {
    ...(result.data === undefined ? {} : { data: result.data }),
    ...(result.errors ? { errors: result.errors.map(error => error.toJSON()) } : {}),
  };
}

const resolveField: GraphQLFieldResolver<Row, unknown> = (source, args, _context, { fieldName }) => {
  const value = source[fieldName];
  const result: unknown = typeof value === 'function' ? value.call(source, args) : value;
  if (result instanceof Error) throw result;
  return result;
};

/** A subgraph's schema: it finds entities in the world, and sees of other subgraphs what representations bring. */
function subgraphSchemaOf({ world, keys = {} }: Federation, sdl: string): GraphQLSchema {
  const resolvers = Object.fromEntries(
    Object.entries(world.entities).map(([type, rows]) => [
      type,
      {
        __resolveReference(reference: Row) {
          const names = (keys[type] ?? ['id']).filter(name => name in reference);
          const row = rows.find(each => names.every(name => isSame(reference[name], each[name])));
          return row ? { ...row, given: reference } : null;
        },
      },
    ]),
  );
  const typeDefs = parse(sdl);
  const defined = new Set(typeDefs.definitions.map(each => ('name' in each ? each.name?.value : '')));
  return buildSubgraphSchema({
    typeDefs,
    resolvers: Object.fromEntries(Object.entries(resolvers).filter(([type]) => defined.has(type))),
  });
}

/** Compares a key's value, of which the reference may have a part of the fields. */
function isSame(reference: unknown, value: unknown): boolean {
  if (typeof reference !== 'object' || reference === null) return isDeepStrictEqual(reference, value);
  return Object.entries(reference).every(
    ([name, part]) => name === '__typename' || isSame(part, (value as Row | undefined)?.[name]),
  );
}
