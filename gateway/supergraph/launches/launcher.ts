import { LRUCache } from 'lru-cache';
import { messageOf } from '../../../platform/errors.ts';
import { hashOfSdl } from '../../../platform/graphql/sdl.ts';
import type { Logger } from '../../../platform/log.ts';
import type { Adoption } from '../composition/adoption.ts';
import type { Subgraph } from '../composition/compose.ts';
import { type Composer, type Composition, CompositionTimeoutError } from '../composition/composer.ts';
import { createGraph, type Graph, type GraphOptions } from '../graph/graph.ts';
import type { HotOperations } from '../graph/hot-operations.ts';
import { describeCompositionFault, type Served } from '../state.ts';
import type { Launch, LaunchHistory } from './launch-history.ts';

/** Makes graphs of subgraphs, and keeps the history of it. */
export interface Launcher {
  /**
   * Composes against what is served, and loads what composed: a graph that can't be loaded counts as one that does not
   * compose. The same SDLs that failed before fail again without composing.
   */
  compose(subgraphs: readonly Subgraph[], served: Graph | undefined): Promise<Composition>;
  /** The graph of a composition. @throws Error when it did not compose */
  load(composed: Composed): Promise<Graph>;
  /** Makes the graph of a composition ready for the operations that clients send, and notes the launch. */
  launch(composed: Composed, options: LaunchOptions): Promise<Served>;
  /** Notes a composition that changed nothing. Saying the same again is not noted again. */
  noteFailure(
    subgraphs: readonly Subgraph[],
    faults: readonly string[],
    options: LaunchOptions,
  ): Promise<void>;
}

/** Subgraphs and what came of composing them. */
type Composed = Pick<Adoption, 'subgraphs'> & { readonly composition: Composition };

interface LaunchOptions {
  readonly cause: Launch['cause'];
  readonly served: Graph | undefined;
  readonly faults: readonly string[];
  readonly startedAtMs: number;
}

interface LauncherOptions {
  readonly composer: Composer;
  readonly history: LaunchHistory;
  readonly hotOperations: HotOperations;
  /** Options of every graph. */
  readonly graph: Omit<GraphOptions, 'supergraphSdl' | 'subgraphs' | 'log'>;
  readonly log: Logger;
}

/** Sets of subgraphs that are remembered not to compose. */
const maxRememberedFailures = 100;

/** Makes the launcher. */
export function createLauncher(options: LauncherOptions): Launcher {
  const { composer, history, hotOperations, log } = options;
  const failureBySet = new LRUCache<string, Composition>({ max: maxRememberedFailures });
  /** The graph that was loaded last, and is not served yet. */
  let loaded: { readonly key: string; readonly graph: Graph } | undefined;
  let lastFailure = '';

  async function load({ subgraphs, composition: { outcome } }: Composed): Promise<Graph> {
    if (outcome.kind === 'failed') throw new Error(outcome.faults.map(describeCompositionFault).join('; '));
    const key = keyOfSet(subgraphs);
    const known = loaded;
    loaded = undefined;
    if (known?.key === key) return known.graph;
    await known?.graph.close();
    const { supergraphSdl } = outcome;
    return createGraph({ ...options.graph, supergraphSdl, subgraphs, log });
  }

  /** Loads a composition too; Apollo Gateway refuses, for example, features that it does not know. */
  async function checked(subgraphs: readonly Subgraph[], composition: Composition): Promise<Composition> {
    if (composition.outcome.kind === 'failed') return composition;
    try {
      loaded = { key: keyOfSet(subgraphs), graph: await load({ subgraphs, composition }) };
      return composition;
    } catch (error) {
      return failedComposition('SUPERGRAPH_NOT_LOADABLE', error);
    }
  }

  return {
    async compose(subgraphs, served) {
      const key = keyOfSet(subgraphs);
      const known = failureBySet.get(key);
      if (known) return known;
      try {
        const composition = await checked(
          subgraphs,
          await composer.compose(subgraphs, served?.supergraphSdl),
        );
        if (composition.outcome.kind === 'failed') failureBySet.set(key, composition);
        return composition;
      } catch (error) {
        const failed = failedComposition('COMPOSITION_FAILED', error);
        // A thread that died, for example for want of memory, may do better next time; one that took too long would not.
        if (error instanceof CompositionTimeoutError) failureBySet.set(key, failed);
        return failed;
      }
    },

    load,
    async launch(composed, { cause, served, faults, startedAtMs }) {
      const { subgraphs, composition } = composed;
      const graph = await load(composed);
      const warmed = await hotOperations.warm(graph);
      const launch = await history.add(
        {
          at: new Date().toISOString(),
          cause,
          outcome: 'served',
          durationMs: Math.round(performance.now() - startedAtMs),
          subgraphs: subgraphs.map(({ name, hash }) => ({ name, hash })),
          changed: changedBetween(served?.subgraphs ?? [], subgraphs),
          changes: [...composition.changes],
          faults: [...faults],
        },
        subgraphs,
      );
      lastFailure = '';
      log.info(
        { launch: launch.id, changed: launch.changed, warmed, durationMs: launch.durationMs },
        'A new graph is served',
      );
      return { graph, launch };
    },

    async noteFailure(subgraphs, faults, { cause, served, startedAtMs }) {
      const failure = `${keyOfSet(subgraphs)} ${faults.join()}`;
      if (failure === lastFailure) return;
      lastFailure = failure;
      await history.add(
        {
          at: new Date().toISOString(),
          cause,
          outcome: 'failed',
          durationMs: Math.round(performance.now() - startedAtMs),
          subgraphs: subgraphs.map(({ name, hash }) => ({ name, hash })),
          changed: changedBetween(served?.subgraphs ?? [], subgraphs),
          changes: [],
          faults: [...faults],
        },
        subgraphs,
      );
    },
  };
}

/** Key of a set of subgraphs. It goes by the SDLs: another one may come under the same name and hash. */
export function keyOfSet(subgraphs: readonly Subgraph[]): string {
  return subgraphs.map(({ name, hash, sdl }) => `${name}@${hash}#${hashOfSdl(sdl)}`).join(' ');
}

function failedComposition(code: string, error: unknown): Composition {
  return {
    outcome: { kind: 'failed', faults: [{ code, message: messageOf(error), locations: [] }] },
    changes: [],
  };
}

function changedBetween(before: readonly Subgraph[], after: readonly Subgraph[]): Launch['changed'] {
  const from = new Map(before.map(({ name, hash }) => [name, hash]));
  const to = new Map(after.map(({ name, hash }) => [name, hash]));
  return [...new Set([...from.keys(), ...to.keys()])].sort().flatMap(name => {
    const [old, now] = [from.get(name), to.get(name)];
    if (old === now) return [];
    return [{ name, ...(old === undefined ? {} : { from: old }), ...(now === undefined ? {} : { to: now }) }];
  });
}
