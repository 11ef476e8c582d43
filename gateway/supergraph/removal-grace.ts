import { type Closable, closeOnce } from '../../platform/lifecycle.ts';
import type { RegistryView } from '../../platform/registry/follower.ts';
import { subgraphNameOf } from './sdl/subgraph-instances.ts';

/** Times at which subgraphs that deregistered leave the graph. A subgraph whose instances were lost stays. */
export interface RemovalGrace extends Closable {
  /** Tells whether a subgraph without instances stays in the graph. */
  stays(subgraph: string, nowMs: number): boolean;
  /** Forgets the subgraphs that are back, and those that are not in the graph. */
  settle(present: ReadonlySet<string>, served: ReadonlySet<string>): void;
  /** Time at which the next subgraph leaves, in ms since 1970; infinite when none does. */
  nextAfterMs(nowMs: number): number;
}

/** Follows deregistrations. @param graceMs time that a subgraph stays after its last instance deregistered, in ms */
export function createRemovalGrace(registry: Pick<RegistryView, 'onRemoval'>, graceMs: number): RemovalGrace {
  const leavesAtMs = new Map<string, number>();
  const unfollow = registry.onRemoval((instance, reason) => {
    if (reason === 'deregistered') leavesAtMs.set(subgraphNameOf(instance), Date.now() + graceMs);
  });
  return {
    stays: (subgraph, nowMs) => nowMs < (leavesAtMs.get(subgraph) ?? Number.POSITIVE_INFINITY),
    settle(present, served) {
      for (const subgraph of leavesAtMs.keys())
        if (present.has(subgraph) || !served.has(subgraph)) leavesAtMs.delete(subgraph);
    },
    nextAfterMs: nowMs => Math.min(...[...leavesAtMs.values()].filter(atMs => atMs > nowMs)),
    close: closeOnce(async () => unfollow()),
  };
}
