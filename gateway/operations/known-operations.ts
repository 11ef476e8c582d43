import { LRUCache } from 'lru-cache';
import type { ExecutableOperation } from '../execution/operation.ts';
import type { Graph } from '../supergraph/graph/graph.ts';
import type { SeenOperation } from '../supergraph/graph/seen-operation.ts';

/** An operation that Apollo Server has parsed and validated, and that the graph has compiled. */
export interface KnownOperation {
  readonly graph: Graph;
  readonly seen: SeenOperation;
  readonly executable: ExecutableOperation;
  /** Until when requests for it share no answer, in ms of `performance.now()`. */
  unsharedUntilMs: number;
}

/**
 * Operations of the graph that is served, by what clients send. The first request of each goes through Apollo Server, which
 * adds it; all others are executed at once.
 */
export interface KnownOperations {
  /** Forgets the operations of the graph before. */
  serve(graph: Graph): void;
  /** Remembers an operation. One of a graph that is served no more is left out. */
  add(query: string, seen: SeenOperation, graph: Graph): void;
  find(query: string, operationName: string | undefined): KnownOperation | undefined;
  /** The same, for a client that sends the SHA-256 of the text alone, as hexadecimal digits. */
  findByHash(hash: string, operationName: string | undefined): KnownOperation | undefined;
}

/** Longest document that is remembered, in characters: they are compared as they are. */
const maxQueryLength = 65_536;

/** Makes the memory of operations. */
export function createKnownOperations(maxDocuments: number): KnownOperations {
  const byQuery = new LRUCache<string, Map<string | undefined, KnownOperation>>({ max: maxDocuments });
  const queryByHash = new LRUCache<string, string>({ max: maxDocuments });
  let served: Graph | undefined;
  const find: KnownOperations['find'] = (query, operationName) => byQuery.get(query)?.get(operationName);
  return {
    serve(graph) {
      served = graph;
      byQuery.clear();
      queryByHash.clear();
    },
    add(query, seen, graph) {
      if (graph !== served || query.length > maxQueryLength) return;
      const byName = byQuery.get(query) ?? new Map<string | undefined, KnownOperation>();
      const executable = byName.has(seen.operationName) ? undefined : graph.compiled(seen);
      if (!executable) return;
      byName.set(seen.operationName, { graph, seen, executable, unsharedUntilMs: 0 });
      byQuery.set(query, byName);
      queryByHash.set(seen.queryHash, query);
    },
    find,
    findByHash(hash, operationName) {
      const query = queryByHash.get(hash);
      return query === undefined ? undefined : find(query, operationName);
    },
  };
}
