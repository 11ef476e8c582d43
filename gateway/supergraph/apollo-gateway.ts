import type { GatewayExecutor, GatewayInterface } from '@apollo/server-gateway-interface';
import type { GraphQLSchema } from 'graphql';
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
): GatewayInterface {
  const graphBySchema = new WeakMap<GraphQLSchema, Graph>();
  const execute: GatewayExecutor = requestContext => {
    const { schema, document, queryHash, request } = requestContext;
    const graph = graphBySchema.get(schema);
    if (!graph)
      throw new Error('An operation expected the schema of a graph that is or was served, but has another');
    hotOperations.see({ document, queryHash, operationName: request.operationName });
    return graph.execute(requestContext);
  };
  return {
    onSchemaLoadOrUpdate: callback =>
      supergraph.onGraph(graph => {
        graphBySchema.set(graph.schema, graph);
        callback({ apiSchema: graph.schema, coreSupergraphSdl: graph.supergraphSdl });
      }),
    load: () => Promise.resolve({ executor: execute }),
    stop: () => Promise.resolve(),
  };
}
