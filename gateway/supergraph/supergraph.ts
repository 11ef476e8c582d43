import { Agent } from 'undici';
import { messageOf, PorticoError } from '../../platform/errors.ts';
import { type Closable, closeOnce } from '../../platform/lifecycle.ts';
import type { Logger } from '../../platform/log.ts';
import type { RegistryView } from '../../platform/registry/follower.ts';
import { metadataKeys, type ServiceInstance } from '../../platform/registry/instance.ts';
import { adopt, type Candidate } from './adoption.ts';
import { createAlarm } from './alarm.ts';
import type { Subgraph } from './compose.ts';
import { Following } from './following.ts';
import type { Graph } from './graph.ts';
import type { Launch, LaunchHistory } from './launch-history.ts';
import type { Launcher } from './launcher.ts';
import { offeredInstances } from './offers.ts';
import { createRemovalGrace } from './removal-grace.ts';
import { createSdlReader, type Offer } from './sdl-reader.ts';
import {
  describeCompositionFault,
  describeFaults,
  noFaults,
  type Served,
  type SupergraphFaults,
  type SupergraphState,
  servedOf,
} from './state.ts';
import { createVersionOrder } from './version-order.ts';

/** The graph that follows the registry. */
export interface Supergraph extends Closable {
  readonly state: SupergraphState;
  readonly faults: SupergraphFaults;
  /** The graph that is served; undefined until there is one. */
  readonly graph: Graph | undefined;
  /** Calls back with each graph that takes over, and at once with the one that is served. */
  onGraph(listener: (graph: Graph) => void): () => void;
  /** Hash of what an instance serves; undefined until that is known. */
  versionOf(instance: ServiceInstance): string | undefined;
  /** Whether only instances that serve the versions of the graph that is served may be asked. */
  readonly isStrict: boolean;
  /** Resolves when the graph has followed what the registry said last; undefined when it has. */
  readonly following: Promise<void> | undefined;
  /** Serves an earlier launch again, and stays with it. @throws PorticoError NOT_FOUND, or CONFLICT when it does not compose */
  rollBack(launchId: number): Promise<Launch>;
  /** Follows the registry again after {@link rollBack}. */
  follow(): Promise<void>;
  /** Takes a subgraph that has no instance out of the graph now. @throws PorticoError NOT_FOUND or CONFLICT */
  remove(subgraph: string): Promise<void>;
}

interface SupergraphOptions {
  readonly registry: RegistryView;
  readonly launcher: Launcher;
  readonly history: LaunchHistory;
  /**
   * How long a subgraph whose last instance deregistered stays in the graph, in ms, and how long a version that nobody
   * offers any more is remembered as the older one.
   */
  readonly removalGraceMs: number;
  /** How often it is tried again to have what the registry asks for and the graph does not have, in ms. */
  readonly sdlPollIntervalMs: number;
  /** Makes ready what serves graphs, with the first of them; until then none is served. */
  readonly beforeFirst?: (graph: Graph) => Promise<void>;
  readonly log: Logger;
}

/** Time between a change and composing, in ms: services that start together are composed together. */
const settleMs = 50;
/** How long a graph that was replaced is kept for the operations that began on it, in ms. */
const retireMs = 60_000;

/**
 * Serves the last good graph of the disk at once, then composes what the registry asks for whenever that changes. What
 * does not compose, or can't be read, changes nothing for clients.
 */
export function followSupergraph(options: SupergraphOptions): Supergraph {
  const { registry, launcher, history, removalGraceMs, sdlPollIntervalMs, beforeFirst, log } = options;
  const agent = new Agent({ connections: 4, connect: { timeout: 2_000 } });
  const stop = new AbortController();
  const sdls = createSdlReader({
    agent,
    signal: stop.signal,
    pollIntervalMs: sdlPollIntervalMs,
    servedSdlOf: history.servedSdlOf,
    onLateRead: () => alarm.set(settleMs),
  });
  const removalGrace = createRemovalGrace(registry, removalGraceMs);
  const versionOrder = createVersionOrder({ launches: history.launches, forgetAfterMs: removalGraceMs });
  const listeners = new Set<(graph: Graph) => void>();
  const retired = new Map<Graph, NodeJS.Timeout>();
  let state: SupergraphState = { phase: 'waiting' };
  let faults = noFaults;
  let reconciled = false;
  const following = new Following();
  let queue: Promise<unknown> = Promise.resolve();
  const alarm = createAlarm(() => {
    inTurn(() => following.follow(reconcile)).catch(error => {
      log.error({ err: error }, 'Following the registry failed');
      alarm.set(sdlPollIntervalMs);
    });
  });

  /** One change of the graph at a time. */
  function inTurn<T>(run: () => Promise<T>): Promise<T> {
    const result = queue.then(run);
    queue = result.catch(() => {});
    return result;
  }

  async function reconcile(): Promise<void> {
    if (stop.signal.aborted || state.phase === 'pinned' || !registry.loaded) return;
    const startedAtMs = performance.now();
    const nowMs = Date.now();
    const served = servedOf(state);
    const subgraphs = served?.graph.subgraphs ?? [];
    const offered = offeredInstances(registry);
    removalGrace.settle(new Set(offered.keys()), new Set(subgraphs.map(({ name }) => name)));
    const offers = versionOrder.newestFirst(await sdls.read(offered));
    const wanted = candidatesOf(offers, subgraphs, { nowMs, offered });
    const adoption = await adopt({
      served: subgraphs,
      wanted,
      compose: next => launcher.compose(next, served?.graph),
    });
    const found: SupergraphFaults = { ...faultsOf(offers), heldBack: adoption.heldBack, load: undefined };
    const launchOptions = {
      cause: 'registry' as const,
      served: served?.graph,
      faults: describeFaults(found),
      startedAtMs,
    };
    if (adoption.composition) {
      try {
        await serve(await launcher.launch({ ...adoption, composition: adoption.composition }, launchOptions));
        settle(found);
      } catch (error) {
        settle({ ...found, load: messageOf(error) });
      }
    } else settle(found);
    if (adoption.heldBack.length > 0 || faults.load !== undefined)
      await launcher.noteFailure(mostWanted(wanted), describeFaults(faults), launchOptions);
    reconciled = true;
    scheduleNext(nowMs);
  }

  /** What is to be in the graph: what is offered, and what is served and has lost its instances without deregistering. */
  function candidatesOf(
    offers: readonly Offer[],
    served: readonly Subgraph[],
    {
      nowMs,
      offered,
    }: { readonly nowMs: number; readonly offered: ReadonlyMap<string, readonly ServiceInstance[]> },
  ): Candidate[] {
    const readable = offers.filter(({ versions }) => versions.length > 0);
    const names = new Set(readable.map(({ name }) => name));
    const staying = served.filter(({ name }) => !names.has(name) && removalGrace.stays(name, nowMs));
    return [
      ...readable.map(({ name, versions }) => ({
        name,
        versions,
        sinceMs: Math.min(...(offered.get(name) ?? []).map(each => each.lastDirtyTimestampMs)),
      })),
      ...staying.map(subgraph => ({ name: subgraph.name, versions: [subgraph] })),
    ].sort((a, b) => a.name.localeCompare(b.name));
  }

  /** Reconciles again when the next subgraph is to go, an SDL is to be read, or what failed may succeed. */
  function scheduleNext(nowMs: number): void {
    const retryMs = describeFaults(faults).length > 0 ? nowMs + sdlPollIntervalMs : Number.POSITIVE_INFINITY;
    const nextMs = Math.min(sdls.nextReadMs, removalGrace.nextAfterMs(nowMs), retryMs);
    if (Number.isFinite(nextMs)) alarm.set(Math.max(settleMs, nextMs - Date.now()));
  }

  async function serve(served: Served): Promise<void> {
    const previous = servedOf(state);
    if (!previous) await beforeFirst?.(served.graph);
    state = { phase: 'serving', served };
    for (const listener of listeners) listener(served.graph);
    if (previous) retire(previous.graph);
  }

  function retire(graph: Graph): void {
    const timeout = setTimeout(() => {
      retired.delete(graph);
      void graph.close();
    }, retireMs);
    retired.set(graph, timeout.unref());
  }

  function settle(found: SupergraphFaults): void {
    const before = describeFaults(faults);
    const ignoredBefore = faults.ignored;
    faults = found;
    const now = describeFaults(found);
    // Before the first graph, what does not compose may only wait for the others.
    const level = state.phase === 'waiting' ? 'info' : 'warn';
    for (const fault of now)
      if (!before.includes(fault)) log[level](`The graph is not what the registry asks for: ${fault}`);
    for (const { service, message } of found.ignored)
      if (!ignoredBefore.some(each => each.service === service && each.message === message))
        log.warn(
          { application: service },
          `The service '${service}' is registered, and not in the graph: ${message}. If it serves no subgraph, register '${metadataKeys.subgraph}' as empty`,
        );
    const served = servedOf(state);
    if (served) state = { phase: now.length === 0 ? 'serving' : 'stale', served };
  }

  /** What was served before a restart is served again, before anybody has registered. */
  async function restore(): Promise<void> {
    const subgraphs = await history.lastServed();
    const launch = history.launches.findLast(({ outcome }) => outcome === 'served');
    if (!subgraphs || !launch) return;
    try {
      const composition = await launcher.compose(subgraphs, undefined);
      await serve({ graph: await launcher.load({ subgraphs, composition }), launch });
      if (launch.cause === 'rollback') pin();
      log.info({ launch: launch.id }, 'The graph that was served last is served again');
    } catch (error) {
      log.warn(`The graph that was served last could not be restored: ${messageOf(error)}`);
    }
  }

  async function change(cause: Launch['cause'], subgraphs: readonly Subgraph[]): Promise<Served> {
    const startedAtMs = performance.now();
    const served = servedOf(state)?.graph;
    const composition = await launcher.compose(subgraphs, served);
    if (composition.outcome.kind === 'failed') {
      const reasons = composition.outcome.faults.map(describeCompositionFault).join('; ');
      throw new PorticoError('CONFLICT', `The graph does not compose: ${reasons}`);
    }
    const next = await launcher.launch(
      { subgraphs, composition },
      { cause, served, faults: [], startedAtMs },
    );
    await serve(next);
    return next;
  }

  /** Stays with what is served, until told otherwise; also after a restart, since the history knows it. */
  function pin(): void {
    const served = servedOf(state);
    if (served) state = { phase: 'pinned', served };
  }

  const unfollow = registry.onChange(() => {
    following.changed();
    alarm.set(settleMs);
  });
  void inTurn(restore).then(() => alarm.set(0));

  return {
    get state() {
      return state;
    },
    get faults() {
      return faults;
    },
    get graph() {
      return servedOf(state)?.graph;
    },
    onGraph(listener) {
      listeners.add(listener);
      const graph = servedOf(state)?.graph;
      if (graph) listener(graph);
      return () => void listeners.delete(listener);
    },
    versionOf: sdls.versionOf,
    get following() {
      return following.done;
    },
    get isStrict() {
      return reconciled && state.phase !== 'pinned';
    },
    rollBack: launchId =>
      inTurn(async () => {
        const subgraphs = await history.subgraphsOf(launchId);
        if (!subgraphs)
          throw new PorticoError(
            'NOT_FOUND',
            `There is no launch ${launchId} that was served and whose SDLs are kept`,
          );
        const served = await change('rollback', subgraphs);
        pin();
        log.warn(
          { launch: launchId },
          'An operator went back to an earlier launch; the registry is not followed',
        );
        return served.launch;
      }),
    follow: () =>
      inTurn(async () => {
        if (state.phase !== 'pinned') return;
        await change('follow', state.served.graph.subgraphs);
        await reconcile();
      }),
    remove: name =>
      inTurn(async () => {
        if (state.phase === 'pinned')
          throw new PorticoError('CONFLICT', 'The graph expected to follow the registry, but is pinned');
        const subgraphs = servedOf(state)?.graph.subgraphs ?? [];
        if (!subgraphs.some(subgraph => subgraph.name === name))
          throw new PorticoError('NOT_FOUND', `The graph has no subgraph '${name.slice(0, 80)}'`);
        if (offeredInstances(registry).has(name))
          throw new PorticoError('CONFLICT', `The subgraph '${name}' has instances; deregister them instead`);
        await change(
          'registry',
          subgraphs.filter(subgraph => subgraph.name !== name),
        );
        alarm.set(0);
      }),
    close: closeOnce(async () => {
      unfollow();
      stop.abort();
      alarm.stop();
      await queue;
      await removalGrace.close();
      for (const [graph, timeout] of retired) {
        clearTimeout(timeout);
        await graph.close();
      }
      await servedOf(state)?.graph.close();
      await agent.close();
    }),
  };
}

function faultsOf(offers: readonly Offer[]): Pick<SupergraphFaults, 'unreadable' | 'ignored'> {
  const failed = offers.flatMap(({ name, versions, failures, declared }) =>
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

function mostWanted(candidates: readonly Candidate[]): Subgraph[] {
  return candidates.flatMap(({ versions: [first] }) => first ?? []);
}
