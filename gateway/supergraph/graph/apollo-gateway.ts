import type { GatewayExecutor, GatewayInterface } from '@apollo/server-gateway-interface';
import type { GraphQLSchema } from 'graphql';
import type { ServedGraph } from '../served-graph.ts';
import type { Graph } from './graph.ts';
import type { SeenOperation } from './seen-operation.ts';

/** Told of what Apollo Server does. */
export interface GatewayObserver {
  /** Operations go to this graph from now on. */
  onServed(graph: Graph): void;
  /** An operation is valid, and about to be executed. @param source the document's text */
  onOperation(source: string, operation: SeenOperation, graph: Graph): void;
}

/**
 * The gateway that Apollo Server is given: it stands for whichever graph is served. Each operation is run by the graph
 * whose schema it was validated against, so that a swap never shows half of two graphs to one operation.
 */
export function createSwappingGateway(
  served: Pick<ServedGraph, 'onGraph'>,
  observer: GatewayObserver,
): GatewayInterface {
  const graphBySchema = new WeakMap<GraphQLSchema, Graph>();
  const execute: GatewayExecutor = requestContext => {
    const { schema, document, queryHash, request, source } = requestContext;
    const graph = graphBySchema.get(schema);
    if (!graph)
      throw new Error('An operation was validated against the schema of a graph that was never served');
    observer.onOperation(source, { document, queryHash, operationName: request.operationName }, graph);
    return graph.execute(requestContext);
  };
  return {
    onSchemaLoadOrUpdate: callback =>
      served.onGraph(graph => {
        graphBySchema.set(graph.schema, graph);
        observer.onServed(graph);
        callback({ apiSchema: graph.schema, coreSupergraphSdl: graph.supergraphSdl });
      }),
    load: () => Promise.resolve({ executor: execute }),
    stop: () => Promise.resolve(),
  };
}
