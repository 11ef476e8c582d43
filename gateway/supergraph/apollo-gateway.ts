import type { GatewayExecutor, GatewayInterface } from '@apollo/server-gateway-interface';
import type { GraphQLSchema } from 'graphql';
import type { KnownOperations } from '../operations/known-operations.ts';
import type { Graph } from './graph.ts';
import type { HotOperations } from './hot-operations.ts';
import type { Supergraph } from './supergraph.ts';

/**
 * The gateway that Apollo Server is given: it stands for whichever graph is served. Each operation is run by the graph
 * whose schema it was validated against, so that a swap never shows half of two graphs to one operation.
 */
export function createSwappingGateway(
  supergraph: Pick<Supergraph, 'onGraph'>,
  hotOperations: Pick<HotOperations, 'see'>,
  known: Pick<KnownOperations, 'serve' | 'add'>,
): GatewayInterface {
  const graphBySchema = new WeakMap<GraphQLSchema, Graph>();
  const execute: GatewayExecutor = requestContext => {
    const { schema, document, queryHash, request } = requestContext;
    const graph = graphBySchema.get(schema);
    if (!graph)
      throw new Error('An operation expected the schema of a graph that is or was served, but has another');
    const seen = { document, queryHash, operationName: request.operationName };
    hotOperations.see(seen);
    known.add(requestContext.source, seen, graph);
    return graph.execute(requestContext);
  };
  return {
    onSchemaLoadOrUpdate: callback =>
      supergraph.onGraph(graph => {
        graphBySchema.set(graph.schema, graph);
        known.serve(graph);
        callback({ apiSchema: graph.schema, coreSupergraphSdl: graph.supergraphSdl });
      }),
    load: () => Promise.resolve({ executor: execute }),
    stop: () => Promise.resolve(),
  };
}
