import type { Closable } from '../../platform/lifecycle.ts';
import type { Logger } from '../../platform/log.ts';
import { metadataKeys, type ServiceInstance } from '../../platform/registry/instance.ts';
import { Following } from './following.ts';
import type { Graph } from './graph/graph.ts';
import {
  describeFaults,
  noFaults,
  type Served,
  type SupergraphFaults,
  type SupergraphState,
  servedOf,
} from './state.ts';

/** Time that a graph that was replaced is kept for the operations that began on it, in ms. */
const retireMs = 60_000;

interface ServedGraphOptions {
  /** Hash of the SDL that an instance serves; undefined until it is known. */
  readonly versionOf: (instance: ServiceInstance) => string | undefined;
  /** Prepares the servers of operations with the first graph, before it is served. */
  readonly beforeFirst?: (graph: Graph) => Promise<void>;
  readonly log: Logger;
}

/**
 * The graph that is served. `supergraph.ts` and `operator.ts` change it; routing, subscriptions and Apollo Server read it.
 * It exists before the first graph does.
 */
export class ServedGraph implements Closable {
  readonly versionOf: ServedGraphOptions['versionOf'];
  readonly #beforeFirst: ServedGraphOptions['beforeFirst'];
  readonly #log: Logger;
  readonly #following = new Following();
  readonly #listeners = new Set<(graph: Graph) => void>();
  readonly #retired = new Map<Graph, NodeJS.Timeout>();
  #state: SupergraphState = { phase: 'waiting' };
  #faults = noFaults;
  #hasFollowed = false;

  constructor({ versionOf, beforeFirst, log }: ServedGraphOptions) {
    this.versionOf = versionOf;
    this.#beforeFirst = beforeFirst;
    this.#log = log;
  }

  get state(): SupergraphState {
    return this.#state;
  }

  get faults(): SupergraphFaults {
    return this.#faults;
  }

  /** The graph; undefined until there is one. */
  get graph(): Graph | undefined {
    return servedOf(this.#state)?.graph;
  }

  /** True if only instances that serve the versions of the graph may be asked. */
  get isStrict(): boolean {
    return this.#hasFollowed && this.#state.phase !== 'pinned';
  }

  /** Resolves when the graph has followed the last change of the registry; undefined when it has. */
  get following(): Promise<void> | undefined {
    return this.#following.done;
  }

  /** Calls back with each graph that takes over, and at once with the one that is served. */
  onGraph(listener: (graph: Graph) => void): () => void {
    this.#listeners.add(listener);
    const { graph } = this;
    if (graph) listener(graph);
    return () => void this.#listeners.delete(listener);
  }

  /** Notes that the registry has changed, and the graph has not followed yet. */
  registryChanged(): void {
    this.#following.changed();
  }

  /** Runs the step that follows the changes of the registry until now. */
  followRegistry(step: () => Promise<void>): Promise<void> {
    return this.#following.follow(step);
  }

  /** Notes that the graph has followed the registry: from then on, only instances of its versions may be asked. */
  hasFollowed(): void {
    this.#hasFollowed = true;
  }

  /** Lets a graph take over. The one before is closed when the operations that began on it have had their time. */
  async serve(served: Served): Promise<void> {
    const previous = servedOf(this.#state);
    if (!previous) await this.#beforeFirst?.(served.graph);
    this.#state = { phase: 'serving', served };
    for (const listener of this.#listeners) listener(served.graph);
    if (previous) this.#retire(previous.graph);
  }

  /** Stays with the graph until an operator says otherwise. */
  pin(): void {
    const served = servedOf(this.#state);
    if (served) this.#state = { phase: 'pinned', served };
  }

  /** Notes the differences between the graph and the registry, and logs those that are new. */
  noteFaults(found: SupergraphFaults): void {
    const before = describeFaults(this.#faults);
    const ignoredBefore = this.#faults.ignored;
    this.#faults = found;
    const now = describeFaults(found);
    // Before the first graph, what does not compose may only wait for the others.
    const level = this.#state.phase === 'waiting' ? 'info' : 'warn';
    for (const fault of now)
      if (!before.includes(fault)) this.#log[level](`The graph is not what the registry asks for: ${fault}`);
    for (const { service, message } of found.ignored)
      if (!ignoredBefore.some(each => each.service === service && each.message === message))
        this.#log.warn(
          { application: service },
          `The service '${service}' is registered, and not in the graph: ${message}. If it serves no subgraph, register '${metadataKeys.subgraph}' as empty`,
        );
    const served = servedOf(this.#state);
    if (served) this.#state = { phase: now.length === 0 ? 'serving' : 'stale', served };
  }

  async close(): Promise<void> {
    for (const [graph, timeout] of this.#retired) {
      clearTimeout(timeout);
      await graph.close();
    }
    this.#retired.clear();
    await this.graph?.close();
  }

  #retire(graph: Graph): void {
    const timeout = setTimeout(() => {
      this.#retired.delete(graph);
      void graph.close();
    }, retireMs);
    this.#retired.set(graph, timeout.unref());
  }
}
