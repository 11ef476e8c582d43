import { type Closable, closeOnce } from '../../platform/lifecycle.ts';
import type { RegistryView } from '../../platform/registry/follower.ts';
import { subgraphNameOf } from './offers.ts';

/** Which subgraphs have deregistered, and when they are to leave the graph. One that is lost without a word stays. */
export interface Departures extends Closable {
  /** Whether a subgraph without instances is still to be in the graph. */
  stays(subgraph: string, nowMs: number): boolean;
  /** Forgets the subgraphs that are back, and those that are not in the graph. */
  settle(offered: ReadonlySet<string>, served: ReadonlySet<string>): void;
  /** When the next subgraph is to leave after a time, in ms since 1970; never when none is. */
  nextAfterMs(nowMs: number): number;
}

/** Follows who deregisters. @param graceMs how long a subgraph stays after its last instance has, in ms */
export function followDepartures(registry: Pick<RegistryView, 'onDeparture'>, graceMs: number): Departures {
  const leavesAtMs = new Map<string, number>();
  const unfollow = registry.onDeparture((instance, departure) => {
    if (departure === 'deregistered') leavesAtMs.set(subgraphNameOf(instance), Date.now() + graceMs);
  });
  return {
    stays: (subgraph, nowMs) => nowMs < (leavesAtMs.get(subgraph) ?? Number.POSITIVE_INFINITY),
    settle(offered, served) {
      for (const subgraph of leavesAtMs.keys())
        if (offered.has(subgraph) || !served.has(subgraph)) leavesAtMs.delete(subgraph);
    },
    nextAfterMs: nowMs => Math.min(...[...leavesAtMs.values()].filter(atMs => atMs > nowMs)),
    close: closeOnce(async () => unfollow()),
  };
}
