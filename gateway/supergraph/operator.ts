import { PorticoError } from '../../platform/errors.ts';
import { hashOfSdl } from '../../platform/graphql/sdl.ts';
import type { Logger } from '../../platform/log.ts';
import type { RegistryView } from '../../platform/registry/follower.ts';
import type { HeldBack } from './composition/adoption.ts';
import type { Subgraph } from './composition/compose.ts';
import type { Launch, LaunchHistory } from './launches/launch-history.ts';
import type { Launcher } from './launches/launcher.ts';
import type { LaunchPolicy } from './policy/launch-policy.ts';
import { instancesBySubgraph } from './sdl/subgraph-instances.ts';
import type { ServedGraph } from './served-graph.ts';
import { describeCompositionFault, type Served } from './state.ts';

/** A version that an operator has looked at. */
export interface ApprovedVersion extends Pick<HeldBack, 'subgraph' | 'hash'> {
  /** Hash of the SDL that waited then: whoever serves it chooses the other one. */
  readonly sdlHash: string;
}

/** Commands of an operator over the graph. One is carried out at a time. */
export interface Operator {
  /** Serves an earlier launch again, and stays with it. @throws PorticoError NOT_FOUND, or CONFLICT when it does not compose */
  rollBack(launchId: number): Promise<Launch>;
  /** Follows the registry again after {@link rollBack}. */
  follow(): Promise<void>;
  /** Lets in a version that waits for it. @throws PorticoError NOT_FOUND when none does, CONFLICT when its SDL is another one now */
  approve(version: ApprovedVersion): Promise<void>;
  /** Takes a subgraph that has no instance out of the graph now. @throws PorticoError NOT_FOUND or CONFLICT */
  remove(subgraph: string): Promise<void>;
}

interface OperatorOptions {
  readonly served: ServedGraph;
  readonly registry: RegistryView;
  readonly launcher: Launcher;
  readonly history: LaunchHistory;
  readonly policy: LaunchPolicy;
  /** Runs one change of the graph at a time. */
  readonly inTurn: <T>(run: () => Promise<T>) => Promise<T>;
  /** Brings the graph to what the registry asks for. */
  readonly reconcile: () => Promise<void>;
  readonly log: Logger;
}

/** Creates the commands. */
export function createOperator(options: OperatorOptions): Operator {
  const { served, registry, launcher, history, policy, inTurn, reconcile, log } = options;

  async function change(cause: Launch['cause'], subgraphs: readonly Subgraph[]): Promise<Served> {
    const startedAtMs = performance.now();
    const { graph } = served;
    const composition = await launcher.compose(subgraphs, graph);
    if (composition.outcome.kind === 'failed') {
      const reasons = composition.outcome.faults.map(describeCompositionFault).join('; ');
      throw new PorticoError('CONFLICT', `The graph does not compose: ${reasons}`);
    }
    const next = await launcher.launch(
      { subgraphs, composition },
      { cause, served: graph, faults: [], startedAtMs },
    );
    await served.serve(next);
    return next;
  }

  async function rollBack(launchId: number): Promise<Launch> {
    const subgraphs = await history.subgraphsOf(launchId);
    if (!subgraphs)
      throw new PorticoError(
        'NOT_FOUND',
        `There is no launch ${launchId} that was served and whose SDLs are kept`,
      );
    const { launch } = await change('rollback', subgraphs);
    served.pin();
    log.warn(
      { launch: launchId },
      'An operator went back to an earlier launch; the registry is not followed',
    );
    return launch;
  }

  async function follow(): Promise<void> {
    if (served.state.phase !== 'pinned') return;
    await change('follow', served.state.served.graph.subgraphs);
    await reconcile();
  }

  async function approve({ subgraph, hash, sdlHash }: ApprovedVersion): Promise<void> {
    const waiting = served.faults.heldBack.find(
      each => each.because === 'approval' && each.subgraph === subgraph && each.hash === hash,
    );
    if (!waiting)
      throw new PorticoError(
        'NOT_FOUND',
        `No version ${hash.slice(0, 80)} of the subgraph '${subgraph.slice(0, 80)}' waits for approval`,
      );
    if (hashOfSdl(waiting.sdl) !== sdlHash)
      throw new PorticoError(
        'CONFLICT',
        `The SDL of the version ${hash.slice(0, 80)} is another one now; look at it, and approve its sdlHash`,
      );
    await policy.approve({ name: subgraph, hash, sdl: waiting.sdl });
    log.warn({ subgraph, hash }, 'An operator has approved a version');
    await reconcile();
  }

  async function remove(name: string): Promise<void> {
    if (served.state.phase === 'pinned')
      throw new PorticoError(
        'CONFLICT',
        'The graph stays with an earlier launch; let it follow the registry first',
      );
    const subgraphs = served.graph?.subgraphs ?? [];
    if (!subgraphs.some(subgraph => subgraph.name === name))
      throw new PorticoError('NOT_FOUND', `The graph has no subgraph '${name.slice(0, 80)}'`);
    if (instancesBySubgraph(registry).has(name))
      throw new PorticoError('CONFLICT', `The subgraph '${name}' has instances; deregister them instead`);
    await change(
      'registry',
      subgraphs.filter(subgraph => subgraph.name !== name),
    );
    await reconcile();
  }

  return {
    rollBack: launchId => inTurn(() => rollBack(launchId)),
    follow: () => inTurn(follow),
    approve: version => inTurn(() => approve(version)),
    remove: name => inTurn(() => remove(name)),
  };
}
