import type { ServiceInstance } from '../../platform/registry/instance.ts';
import type { Candidate } from './composition/adoption.ts';
import type { Subgraph } from './composition/compose.ts';
import type { SubgraphVersions } from './sdl/sdl-reader.ts';
import type { SupergraphFaults } from './state.ts';

/** Facts that the next graph follows from. */
export interface Situation {
  /** SDLs of the subgraphs that have instances, the newest version first. */
  readonly found: readonly SubgraphVersions[];
  /** Instances that take requests, by the subgraph's name. */
  readonly instances: ReadonlyMap<string, readonly ServiceInstance[]>;
  /** Subgraphs of the graph that is served. */
  readonly served: readonly Subgraph[];
  /** Tells whether a subgraph without instances stays in the graph. */
  readonly stays: (subgraph: string) => boolean;
}

/** Subgraphs of the next graph, and the services that cannot be in it. */
export interface Decision extends Pick<SupergraphFaults, 'unreadable' | 'ignored'> {
  /** By name, each with its versions, the most wanted first. Composition decides which of them is adopted. */
  readonly wanted: readonly Candidate[];
}

/** Decides which subgraphs the next graph has: those that have instances, and those that stay without instances. */
export function decide({ found, instances, served, stays }: Situation): Decision {
  const readable = found.filter(({ versions }) => versions.length > 0);
  const names = new Set(readable.map(({ name }) => name));
  const staying = served.filter(({ name }) => !names.has(name) && stays(name));
  const wanted = [
    ...readable.map(({ name, versions }) => ({
      name,
      versions,
      sinceMs: Math.min(...(instances.get(name) ?? []).map(each => each.lastDirtyTimestampMs)),
    })),
    ...staying.map(subgraph => ({ name: subgraph.name, versions: [subgraph] })),
  ].sort((a, b) => a.name.localeCompare(b.name));
  return { wanted, ...unreadableOf(found) };
}

/** A service that does not say that it serves a subgraph, and whose SDL cannot be read, is none: that is no fault. */
function unreadableOf(found: readonly SubgraphVersions[]): Pick<Decision, 'unreadable' | 'ignored'> {
  const failed = found.flatMap(({ name, versions, failures, declared }) =>
    failures.map(message => ({ name, message, isSubgraph: declared || versions.length > 0 })),
  );
  return {
    unreadable: failed
      .filter(({ isSubgraph }) => isSubgraph)
      .map(({ name, message }) => ({ subgraph: name, message })),
    ignored: failed
      .filter(({ isSubgraph }) => !isSubgraph)
      .map(({ name, message }) => ({ service: name, message })),
  };
}
