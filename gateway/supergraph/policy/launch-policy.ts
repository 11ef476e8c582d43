import { unwatchFile, watchFile } from 'node:fs';
import { LRUCache } from 'lru-cache';
import { messageOf } from '../../../platform/errors.ts';
import { type Closable, closeOnce } from '../../../platform/lifecycle.ts';
import type { Logger } from '../../../platform/log.ts';
import type { RegistryView } from '../../../platform/registry/follower.ts';
import type { ServiceInstance } from '../../../platform/registry/instance.ts';
import type { Subgraph } from '../composition/compose.ts';
import type { Composition } from '../composition/composer.ts';
import type { Graph } from '../graph/graph.ts';
import { keyOfSet } from '../launches/launcher.ts';
import { subgraphNameOf } from '../sdl/subgraph-instances.ts';
import type { SupergraphFaults } from '../state.ts';
import {
  applicationsOf,
  findForeignApplications,
  holdersOf,
  type RestrictedRegistry,
  restrictRegistry,
} from './applications.ts';
import { readLaunchRules } from './launch-rules.ts';
import { openPolicyRecord } from './policy-record.ts';
import { createReview, type Review } from './review.ts';

type Compose = (subgraphs: readonly Subgraph[]) => Promise<Composition>;

/** Review of one step, whose compositions are judged. */
export interface StepReview extends Pick<Review, 'admit'> {
  readonly compose: Compose;
}

/** Policy of what may be put in service, by the rules of a file and the approvals of operators. */
export interface LaunchPolicy extends Closable {
  /** Hides instances of applications that may not serve the subgraph that they name. */
  restrict(registry: RegistryView): RegistryView;
  /** Applications whose instances are hidden. */
  foreignIn(): SupergraphFaults['foreign'];
  /** Begins the review of what the registry asks for, against the graph that is served. */
  review(graph: Graph | undefined, compose: Compose): StepReview;
  /** Lets a version in, also after a restart. */
  approve(version: Subgraph): Promise<void>;
  /** Notes the applications that the subgraphs of the graph are served by. */
  noteServed(
    subgraphs: readonly Subgraph[],
    instances: ReadonlyMap<string, readonly ServiceInstance[]>,
    versionOf: (instance: ServiceInstance) => string | undefined,
  ): Promise<void>;
}

/** Policy that lets everything in, so that nothing waits. */
export const openToAll: LaunchPolicy = {
  restrict: registry => registry,
  foreignIn: () => [],
  review: (_graph, compose) => ({ admit: wanted => ({ wanted, heldBack: [] }), compose }),
  approve: () => Promise.resolve(),
  noteServed: () => Promise.resolve(),
  close: () => Promise.resolve(),
};

interface PolicyOptions {
  /** Undefined lets everything in. */
  readonly file: string | undefined;
  /** Folder of the approvals. */
  readonly folder: string;
  readonly log: Logger;
}

/** Time between two looks at the file, in ms. */
const watchIntervalMs = 1_000;
/** Sets of subgraphs that are remembered not to be let in: they are not composed again. */
const maxRemembered = 100;

/**
 * Opens the policy. Its file is read again when it changes; one that is not valid then changes nothing, and is told of.
 *
 * @throws Error that names the file, and what is wrong in it
 */
export async function openLaunchPolicy({ file, folder, log }: PolicyOptions): Promise<LaunchPolicy> {
  if (file === undefined) return openToAll;
  const record = await openPolicyRecord(folder, log);
  let rules = await readLaunchRules(file);
  const refusedByStep = new LRUCache<string, Composition>({ max: maxRemembered });
  let all: RegistryView | undefined;
  let restricted: RestrictedRegistry | undefined;

  const applicationsFor = (subgraph: string) =>
    applicationsOf(rules, subgraph, record.applicationOf(subgraph));
  const mayServe = (instance: ServiceInstance) =>
    applicationsFor(subgraphNameOf(instance))?.includes(instance.app) ?? true;

  function changed(): void {
    refusedByStep.clear();
    restricted?.changed();
  }

  const readAgain = () => {
    readLaunchRules(file).then(
      read => {
        rules = read;
        log.info({ file }, 'The launch policy has changed');
        changed();
      },
      (error: unknown) => log.error({ file }, `The launch policy stays as it was: ${messageOf(error)}`),
    );
  };
  watchFile(file, { interval: watchIntervalMs, persistent: false }, readAgain);

  return {
    restrict(registry) {
      all = registry;
      restricted = restrictRegistry(registry, mayServe);
      return restricted.view;
    },
    foreignIn: () =>
      findForeignApplications(all?.instances ?? [], mayServe).map(({ subgraph, application, instances }) => ({
        subgraph,
        message: `${instances} of ${application} name the subgraph '${subgraph}' and are passed by, because the launch policy leaves it to ${applicationsFor(subgraph)?.join(', ')} (LAUNCH_POLICY_FILE)`,
      })),
    review(graph, compose) {
      const served = graph?.subgraphs ?? [];
      const review = createReview({
        rules,
        served,
        servedSdl: graph?.supergraphSdl,
        isApproved: record.isApproved,
      });
      return {
        admit: review.admit,
        async compose(tried) {
          const step = `${keyOfSet(served)} > ${keyOfSet(tried)}`;
          const known = refusedByStep.get(step);
          if (known) return known;
          const judged = await review.judge(tried, await compose(tried), compose);
          if (judged.outcome.kind === 'failed' && judged.outcome.because) refusedByStep.set(step, judged);
          return judged;
        },
      };
    },
    async approve(version) {
      await record.approve(version);
      refusedByStep.clear();
    },
    async noteServed(subgraphs, instances, versionOf) {
      const holders = holdersOf(subgraphs, {
        candidatesOf: ({ name, hash }) =>
          (instances.get(name) ?? []).filter(instance => versionOf(instance) === hash),
        holderOf: name => {
          const known = record.applicationOf(name);
          return known !== undefined && applicationsFor(name)?.includes(known) ? known : undefined;
        },
      });
      if (await record.setApplications(holders)) restricted?.changed();
    },
    close: closeOnce(async () => unwatchFile(file, readAgain)),
  };
}
