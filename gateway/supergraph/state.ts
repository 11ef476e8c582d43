import type { HeldBack } from './composition/adoption.ts';
import type { CompositionFault } from './composition/compose.ts';
import type { Graph } from './graph/graph.ts';
import type { Launch } from './launches/launch-history.ts';

/** A graph that is served. */
export interface Served {
  readonly graph: Graph;
  /** The composition that made it. */
  readonly launch: Launch;
}

/** Phase of the graph. */
export type SupergraphState =
  /** Nothing has been composed yet. */
  | { readonly phase: 'waiting' }
  /** The graph is as the registry asks for. */
  | { readonly phase: 'serving'; readonly served: Served }
  /** The last good graph goes on, because something that the registry asks for can't be had: see the faults. */
  | { readonly phase: 'stale'; readonly served: Served }
  /** An operator has gone back to an earlier launch; the registry is not followed. */
  | { readonly phase: 'pinned'; readonly served: Served };

/** Differences between the registry and the graph. */
export interface SupergraphFaults {
  /** Subgraphs of which a version's SDL could not be read from any of its instances. */
  readonly unreadable: readonly { readonly subgraph: string; readonly message: string }[];
  readonly heldBack: readonly HeldBack[];
  /** Applications whose instances are passed by, since the subgraph that they name is not theirs. */
  readonly foreign: readonly { readonly subgraph: string; readonly message: string }[];
  /** Reason for which a graph that composed could not be loaded. */
  readonly load: string | undefined;
  /** Services in the registry that do not say that they serve a subgraph, and do not seem to. No fault. */
  readonly ignored: readonly { readonly service: string; readonly message: string }[];
}

export const noFaults: SupergraphFaults = {
  unreadable: [],
  heldBack: [],
  foreign: [],
  load: undefined,
  ignored: [],
};

/** Finds the graph of a state; undefined while waiting. */
export function servedOf(state: SupergraphState): Served | undefined {
  return state.phase === 'waiting' ? undefined : state.served;
}

/** Each fault in one line. */
export function describeFaults({ unreadable, heldBack, foreign, load }: SupergraphFaults): string[] {
  return [
    ...unreadable.map(({ message }) => message),
    ...foreign.map(({ message }) => message),
    ...heldBack.map(each => `${describeHold(each)}: ${each.faults.map(describeCompositionFault).join('; ')}`),
    ...(load === undefined ? [] : [`the composed graph could not be loaded: ${load}`]),
  ];
}

function describeHold({ subgraph, hash, because }: HeldBack): string {
  if (because === 'approval')
    return hash
      ? `'${subgraph}' at ${hash} waits for an operator, who approves it with {"approve":${JSON.stringify({ subgraph, hash })}}`
      : `'${subgraph}' waits for an operator, who takes it out with DELETE`;
  const what = hash ? `'${subgraph}' at ${hash} is held back` : `'${subgraph}' can't leave the graph`;
  return `${what}, because ${because === 'policy' ? 'the launch policy does not allow it' : 'it does not compose'}`;
}

/** Describes a fault with its places in the SDLs: `… (stock 3:14, items 2:5)`. */
export function describeCompositionFault({ message, locations }: CompositionFault): string {
  const places = locations.map(({ subgraph, line, column }) => `${subgraph} ${line}:${column}`);
  return places.length === 0 ? message : `${message} (${[...new Set(places)].join(', ')})`;
}
