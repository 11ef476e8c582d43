import { setImmediate as nextTurn } from 'node:timers/promises';
import { validate } from 'graphql';
import { LRUCache } from 'lru-cache';
import type { Graph } from './graph.ts';
import type { SeenOperation } from './seen-operation.ts';

/** Remembers which operations clients send most, to plan them before a new graph takes over. */
export interface HotOperations {
  see(operation: SeenOperation): void;
  /** Plans the hottest operations that are valid in the graph. @returns how many were planned */
  warm(graph: Graph): Promise<number>;
}

interface HotOperationsOptions {
  /** Operations remembered. @default 1000 */
  readonly remembered?: number;
  /** Operations planned for a new graph. @default 200 */
  readonly warmed?: number;
  /** Longest time that planning them may take, in ms; the new graph does not wait longer. @default 5000 */
  readonly maxWarmMs?: number;
}

/** Makes the memory of operations. */
export function rememberHotOperations(options: HotOperationsOptions = {}): HotOperations {
  const { remembered = 1_000, warmed = 200, maxWarmMs = 5_000 } = options;
  const seenByKey = new LRUCache<string, { readonly operation: SeenOperation; count: number }>({
    max: remembered,
  });

  function hottest(): SeenOperation[] {
    return [...seenByKey.values()]
      .sort((a, b) => b.count - a.count)
      .slice(0, warmed)
      .map(({ operation }) => operation);
  }

  /** Those that are seen from now on count more than those that were seen long ago. */
  function age(): void {
    for (const [key, seen] of seenByKey) {
      seen.count = Math.floor(seen.count / 2);
      if (seen.count === 0) seenByKey.delete(key);
    }
  }

  return {
    see(operation) {
      const key = `${operation.queryHash} ${operation.operationName ?? ''}`;
      const seen = seenByKey.get(key);
      if (seen) {
        seen.count += 1;
        return;
      }
      if (seenByKey.size >= remembered) age();
      seenByKey.set(key, { operation, count: 1 });
    },
    async warm(graph) {
      const deadlineMs = performance.now() + maxWarmMs;
      let planned = 0;
      for (const operation of hottest()) {
        if (performance.now() > deadlineMs) break;
        // Each plan keeps the event loop busy: requests come in between.
        await nextTurn();
        if (validate(graph.schema, operation.document).length > 0) continue;
        await graph.warm(operation);
        planned += 1;
      }
      return planned;
    },
  };
}
