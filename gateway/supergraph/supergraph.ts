import type { GraphQLDataSource } from '@apollo/gateway';
import { Agent } from 'undici';
import { messageOf } from '../../platform/errors.ts';
import { type Closable, closeOnce } from '../../platform/lifecycle.ts';
import type { Logger } from '../../platform/log.ts';
import type { RegistryView } from '../../platform/registry/follower.ts';
import { metadataKeys, type ServiceInstance } from '../../platform/registry/instance.ts';
import { type CompositionFault, compose, type Subgraph } from './compose.ts';
import { createGraph, type Graph } from './graph.ts';
import { fetchSdl } from './sdl.ts';
import { type WantedSubgraph, wantedSubgraphs } from './wanted.ts';

/** Why the graph is not what the registry asks for. */
export type SupergraphFault =
  | { readonly kind: 'sdl'; readonly subgraph: string; readonly message: string }
  | { readonly kind: 'composition'; readonly faults: readonly CompositionFault[] }
  | { readonly kind: 'load'; readonly message: string };

/** Where the graph stands. */
export type SupergraphState =
  | { readonly phase: 'waiting'; readonly faults: readonly SupergraphFault[] }
  | { readonly phase: 'serving'; readonly graph: Graph; readonly since: Date }
  /** The last good graph goes on, because the one asked for can't be had. */
  | {
      readonly phase: 'stale';
      readonly graph: Graph;
      readonly since: Date;
      readonly faults: readonly SupergraphFault[];
    };

/** The graph that follows the registry. */
export interface Supergraph extends Closable {
  readonly state: SupergraphState;
  /** The graph that is served; undefined until the first one is composed. */
  readonly graph: Graph | undefined;
  /** Resolves with the first graph that is composed. */
  readonly firstGraph: Promise<Graph>;
  /** Calls back with each graph that takes over, and at once with the one that is served. */
  onGraph(listener: (graph: Graph) => void): () => void;
}

interface SupergraphOptions {
  readonly registry: RegistryView;
  readonly dataSourceOf: (subgraph: string) => GraphQLDataSource;
  /** How long a subgraph without an instance stays in the graph, in ms. */
  readonly removalGraceMs: number;
  readonly log: Logger;
}

/** Time between the first change and composing, in ms: services that start together are composed together. */
const settleMs = 50;
/** Time until what failed is tried again, in ms. */
const retryMs = 1_000;
/** How long a graph that was replaced is kept for the operations that began on it, in ms. */
const retireMs = 60_000;

/** Composes what the registry tells of, whenever that changes. A graph that can't be composed replaces nothing. */
export function followSupergraph(options: SupergraphOptions): Supergraph {
  const { registry, dataSourceOf, removalGraceMs, log } = options;
  const agent = new Agent({ connections: 4 });
  const stop = new AbortController();
  const listeners = new Set<(graph: Graph) => void>();
  const sdlByInstance = new Map<string, { sdl: string; hash: string }>();
  const lastSeenMs = new Map<string, number>();
  const retired = new Map<Graph, NodeJS.Timeout>();
  let state: SupergraphState = { phase: 'waiting', faults: [] };
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let changedWhileRunning = false;

  function graphOf(current: SupergraphState): Graph | undefined {
    return current.phase === 'waiting' ? undefined : current.graph;
  }

  function schedule(afterMs: number): void {
    if (stop.signal.aborted) return;
    if (running) {
      changedWhileRunning = true;
      return;
    }
    clearTimeout(timer);
    timer = setTimeout(() => {
      running = reconcile()
        .catch(error => log.error({ err: error }, 'Following the registry failed'))
        .finally(() => {
          running = undefined;
          if (changedWhileRunning) schedule(0);
          changedWhileRunning = false;
        });
    }, afterMs);
  }

  async function reconcile(): Promise<void> {
    const faults: SupergraphFault[] = [];
    const wanted = wantedSubgraphs(registry);
    const found = await Promise.all([...wanted.values()].map(each => readSubgraph(each, faults)));
    const subgraphs = [...found.filter(each => each !== undefined), ...absentSubgraphs(wanted)].sort((a, b) =>
      a.name.localeCompare(b.name),
    );
    if (subgraphs.length > 0 && !isSame(subgraphs, graphOf(state)?.subgraphs)) await adopt(subgraphs, faults);
    settle(faults);
    if (faults.length > 0) schedule(retryMs);
  }

  /** The subgraph as its instances serve it; when that can't be read, as it is served now. */
  async function readSubgraph(
    { name, instances }: WantedSubgraph,
    faults: SupergraphFault[],
  ): Promise<Subgraph | undefined> {
    lastSeenMs.set(name, Date.now());
    const newestFirst = [...instances].sort((a, b) => b.lastDirtyTimestampMs - a.lastDirtyTimestampMs);
    const failures: string[] = [];
    for (const instance of newestFirst) {
      try {
        return { name, ...(await readSdl(instance)) };
      } catch (error) {
        failures.push(messageOf(error));
      }
    }
    faults.push({ kind: 'sdl', subgraph: name, message: failures.join('; ') });
    return servedNow(name);
  }

  async function readSdl(instance: ServiceInstance): Promise<{ sdl: string; hash: string }> {
    const { metadata, id, app, lastDirtyTimestampMs } = instance;
    const key = `${app}/${metadata[metadataKeys.schemaHash] ?? `${id}@${lastDirtyTimestampMs}`}`;
    const known = sdlByInstance.get(key);
    if (known) return known;
    const read = await fetchSdl(instance, { agent, signal: stop.signal });
    sdlByInstance.set(key, read);
    return read;
  }

  function servedNow(name: string): Subgraph | undefined {
    return graphOf(state)?.subgraphs.find(subgraph => subgraph.name === name);
  }

  /** Subgraphs that are served and have no instance now, while their grace lasts. */
  function absentSubgraphs(wanted: ReadonlyMap<string, WantedSubgraph>): Subgraph[] {
    const absent = (graphOf(state)?.subgraphs ?? []).filter(({ name }) => !wanted.has(name));
    return absent.filter(({ name }) => {
      const leftMs = (lastSeenMs.get(name) ?? 0) + removalGraceMs - Date.now();
      if (leftMs > 0) setTimeout(() => schedule(0), leftMs).unref();
      return leftMs > 0;
    });
  }

  async function adopt(subgraphs: readonly Subgraph[], faults: SupergraphFault[]): Promise<void> {
    const startedAt = performance.now();
    const composed = compose(subgraphs);
    if (composed.kind === 'failed') {
      faults.push({ kind: 'composition', faults: composed.faults });
      return;
    }
    try {
      const graph = await createGraph({
        supergraphSdl: composed.supergraphSdl,
        subgraphs,
        dataSourceOf,
        log,
      });
      replaceGraph(graph);
      const durationMs = Math.round(performance.now() - startedAt);
      log.info(
        { subgraphs: subgraphs.map(({ name, hash }) => `${name}@${hash}`), durationMs },
        'A new graph is served',
      );
    } catch (error) {
      faults.push({ kind: 'load', message: messageOf(error) });
    }
  }

  function replaceGraph(graph: Graph): void {
    const previous = graphOf(state);
    state = { phase: 'serving', graph, since: new Date() };
    for (const listener of listeners) listener(graph);
    if (previous) retire(previous);
  }

  function retire(graph: Graph): void {
    const timeout = setTimeout(() => {
      retired.delete(graph);
      void graph.close();
    }, retireMs);
    retired.set(graph, timeout.unref());
  }

  function settle(faults: readonly SupergraphFault[]): void {
    if (state.phase === 'waiting') state = { phase: 'waiting', faults };
    else if (faults.length === 0) state = { phase: 'serving', graph: state.graph, since: state.since };
    else state = { phase: 'stale', graph: state.graph, since: state.since, faults };
    for (const fault of faults)
      log.warn({ fault }, `The graph is not what the registry asks for: ${describeFault(fault)}`);
  }

  const firstGraph = new Promise<Graph>(resolve => {
    listeners.add(resolve);
  });
  const unfollow = registry.onChange(() => schedule(settleMs));
  if (registry.loaded) schedule(0);

  return {
    get state() {
      return state;
    },
    get graph() {
      return graphOf(state);
    },
    firstGraph,
    onGraph(listener) {
      listeners.add(listener);
      const graph = graphOf(state);
      if (graph) listener(graph);
      return () => void listeners.delete(listener);
    },
    close: closeOnce(async () => {
      unfollow();
      stop.abort();
      clearTimeout(timer);
      await running;
      for (const [graph, timeout] of retired) {
        clearTimeout(timeout);
        await graph.close();
      }
      await graphOf(state)?.close();
      await agent.close();
    }),
  };
}

function isSame(subgraphs: readonly Subgraph[], served: readonly Subgraph[] | undefined): boolean {
  return (
    served?.length === subgraphs.length &&
    subgraphs.every(({ name, hash }, index) => served[index]?.name === name && served[index]?.hash === hash)
  );
}

/** One line that says what is wrong. */
export function describeFault(fault: SupergraphFault): string {
  switch (fault.kind) {
    case 'sdl':
      return fault.message;
    case 'composition':
      return `the subgraphs do not compose: ${fault.faults.map(({ message }) => message).join('; ')}`;
    case 'load':
      return `the composed graph could not be loaded: ${fault.message}`;
  }
}
