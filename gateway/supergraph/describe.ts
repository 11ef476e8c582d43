import { describeFault, type SupergraphState } from './supergraph.ts';

/** What `/actuator/supergraph` and the health endpoint say of the graph. */
export interface SupergraphDescription {
  readonly phase: SupergraphState['phase'];
  readonly subgraphs: readonly { readonly name: string; readonly hash: string }[];
  readonly since?: string;
  readonly faults: readonly string[];
}

/** Describes the graph for operators. */
export function describeSupergraph(state: SupergraphState): SupergraphDescription {
  const faults = state.phase === 'serving' ? [] : state.faults.map(describeFault);
  if (state.phase === 'waiting') return { phase: state.phase, subgraphs: [], faults };
  return {
    phase: state.phase,
    subgraphs: state.graph.subgraphs.map(({ name, hash }) => ({ name, hash })),
    since: state.since.toISOString(),
    faults,
  };
}
