import { EarliestTimer } from '../../platform/earliest-timer.ts';
import { messageOf } from '../../platform/errors.ts';
import { type Closable, closeOnce } from '../../platform/lifecycle.ts';
import type { Logger } from '../../platform/log.ts';
import type { RegistryView } from '../../platform/registry/follower.ts';
import { adopt, type Candidate } from './composition/adoption.ts';
import type { Subgraph } from './composition/compose.ts';
import { decide } from './decide.ts';
import type { LaunchHistory } from './launches/launch-history.ts';
import type { Launcher } from './launches/launcher.ts';
import { createOperator, type Operator } from './operator.ts';
import { type LaunchPolicy, openToAll } from './policy/launch-policy.ts';
import { createRemovalGrace } from './removal-grace.ts';
import type { SdlReader } from './sdl/sdl-reader.ts';
import { instancesBySubgraph } from './sdl/subgraph-instances.ts';
import { createVersionOrder } from './sdl/version-order.ts';
import type { ServedGraph } from './served-graph.ts';
import { describeFaults, type SupergraphFaults } from './state.ts';

/** The graph as it follows the registry, with the commands of an operator. */
export interface Supergraph extends Operator, Closable {}

interface SupergraphOptions {
  readonly registry: RegistryView;
  readonly sdls: SdlReader;
  /** Gets each graph that is to be served, and is closed with this. */
  readonly served: ServedGraph;
  readonly launcher: Launcher;
  readonly history: LaunchHistory;
  /**
   * Time that a subgraph stays in the graph after its last instance deregistered, in ms, and that a version is remembered
   * as the older one after its last instance is gone.
   */
  readonly removalGraceMs: number;
  /** Time between two attempts to have what the registry asks for and the graph does not have, in ms. */
  readonly sdlPollIntervalMs: number;
  /** Policy of what may be put in service; the registry is as it restricts it. @default everything may */
  readonly policy?: LaunchPolicy;
  readonly log: Logger;
}

/** Time between a change and composing, in ms: services that start together are composed together. */
const settleMs = 50;

/**
 * Serves the last good graph of the disk at once, then composes what the registry asks for whenever that changes. What
 * does not compose, or can't be read, changes nothing for clients.
 */
export function followSupergraph(options: SupergraphOptions): Supergraph {
  const { registry, sdls, served, launcher, history, removalGraceMs, sdlPollIntervalMs, log } = options;
  const { policy = openToAll } = options;
  const removalGrace = createRemovalGrace(registry, removalGraceMs);
  const versionOrder = createVersionOrder({ launches: history.launches, forgetAfterMs: removalGraceMs });
  let closed = false;
  let queue: Promise<unknown> = Promise.resolve();
  const timer = new EarliestTimer(() => {
    inTurn(() => served.followRegistry(reconcile)).catch(error => {
      log.error({ err: error }, 'Following the registry failed');
      timer.schedule(sdlPollIntervalMs);
    });
  });

  /** One change of the graph at a time. */
  function inTurn<T>(run: () => Promise<T>): Promise<T> {
    const result = queue.then(run);
    queue = result.catch(() => {});
    return result;
  }

  async function reconcile(): Promise<void> {
    if (closed || served.state.phase === 'pinned' || !registry.loaded) return;
    const startedAtMs = performance.now();
    const nowMs = Date.now();
    const { graph } = served;
    const subgraphs = graph?.subgraphs ?? [];
    const instances = instancesBySubgraph(registry);
    removalGrace.settle(new Set(instances.keys()), new Set(subgraphs.map(({ name }) => name)));
    const found = await sdls.read(instances, () => timer.schedule(settleMs));
    const {
      wanted: asked,
      unreadable,
      ignored,
    } = decide({
      found: versionOrder.newestFirst(found),
      instances,
      served: subgraphs,
      stays: name => removalGrace.stays(name, nowMs),
    });
    const review = policy.review(graph, tried => launcher.compose(tried, graph));
    const { wanted, heldBack: refused } = review.admit(asked);
    const adoption = await adopt({ served: subgraphs, wanted, compose: review.compose });
    const { composition, subgraphs: next } = adoption;
    const heldBack = [...refused, ...adoption.heldBack];
    let faults: SupergraphFaults = {
      unreadable,
      ignored,
      heldBack,
      foreign: policy.foreignIn(),
      load: undefined,
    };
    const launchOptions = {
      cause: 'registry' as const,
      served: graph,
      faults: describeFaults(faults),
      startedAtMs,
    };
    if (composition)
      try {
        await served.serve(await launcher.launch({ subgraphs: next, composition }, launchOptions));
      } catch (error) {
        faults = { ...faults, load: messageOf(error) };
      }
    served.noteFaults(faults);
    if (heldBack.length > 0 || faults.load !== undefined)
      await launcher.noteFailure(mostWanted(asked), describeFaults(faults), launchOptions);
    await policy.noteServed(served.graph?.subgraphs ?? [], instances, served.versionOf);
    served.hasFollowed();
    scheduleNext(nowMs);
  }

  /** Reconciles again when the next subgraph is to go, an SDL is to be read, or what failed may succeed. */
  function scheduleNext(nowMs: number): void {
    const hasFaults = describeFaults(served.faults).length > 0;
    const retryMs = hasFaults ? nowMs + sdlPollIntervalMs : Number.POSITIVE_INFINITY;
    const nextMs = Math.min(sdls.nextReadMs, removalGrace.nextAfterMs(nowMs), retryMs);
    if (Number.isFinite(nextMs)) timer.schedule(Math.max(settleMs, nextMs - Date.now()));
  }

  const unfollow = registry.onChange(() => {
    served.registryChanged();
    timer.schedule(settleMs);
  });
  void inTurn(() => restoreLastServed(options)).then(() => timer.schedule(0));

  return {
    ...createOperator({ served, registry, launcher, history, policy, inTurn, reconcile, log }),
    close: closeOnce(async () => {
      closed = true;
      unfollow();
      timer.stop();
      await sdls.close();
      await queue;
      await removalGrace.close();
      await served.close();
    }),
  };
}

/** Serves the graph of before a restart again, before any service has registered. */
async function restoreLastServed({ served, launcher, history, log }: SupergraphOptions): Promise<void> {
  const subgraphs = await history.lastServed();
  const launch = history.launches.findLast(({ outcome }) => outcome === 'served');
  if (!subgraphs || !launch) return;
  try {
    const composition = await launcher.compose(subgraphs, undefined);
    await served.serve({ graph: await launcher.load({ subgraphs, composition }), launch });
    // The history knows whether an operator had gone back to it.
    if (launch.cause === 'rollback') served.pin();
    log.info({ launch: launch.id }, 'The graph that was served last is served again');
  } catch (error) {
    log.warn(`The graph that was served last could not be restored: ${messageOf(error)}`);
  }
}

function mostWanted(candidates: readonly Candidate[]): Subgraph[] {
  return candidates.flatMap(({ versions: [first] }) => first ?? []);
}
