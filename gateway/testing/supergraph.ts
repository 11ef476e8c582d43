import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { silentLog } from '../../platform/log.ts';
import type { RegistryView } from '../../platform/registry/follower.ts';
import type { ServiceInstance } from '../../platform/registry/instance.ts';
import { compose } from '../supergraph/composition/compose.ts';
import type { Composer } from '../supergraph/composition/composer.ts';
import type { Graph } from '../supergraph/graph/graph.ts';
import { rememberHotOperations } from '../supergraph/graph/hot-operations.ts';
import { openLaunchHistory } from '../supergraph/launches/launch-history.ts';
import { createLauncher } from '../supergraph/launches/launcher.ts';
import type { Operator } from '../supergraph/operator.ts';
import { type LaunchPolicy, openToAll } from '../supergraph/policy/launch-policy.ts';
import { createSdlReader } from '../supergraph/sdl/sdl-reader.ts';
import { ServedGraph } from '../supergraph/served-graph.ts';
import { followSupergraph } from '../supergraph/supergraph.ts';
import { describeInstance, serveInstance } from './instances.ts';

/** Imports that the SDLs of tests need. */
export const federation =
  'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])';

/** An instance that serves an SDL; `answer` may be changed while it does. */
export interface SdlServer {
  /** Undefined lets whoever asks wait. */
  answer: string | undefined;
  /** Number of requests. */
  readonly asked: number;
  describe(given?: Partial<ServiceInstance>): ServiceInstance;
}

/** Serves an SDL until the test ends. */
export async function serveSdl(sdl: string | undefined): Promise<SdlServer> {
  const served = { answer: sdl, asked: 0 };
  const port = await serveInstance((_request, response) => {
    served.asked += 1;
    if (served.answer !== undefined)
      response.end(JSON.stringify({ data: { _service: { sdl: served.answer } } }));
  });
  return Object.assign(served, {
    describe: (given: Partial<ServiceInstance> = {}) => describeInstance({ port, ...given }),
  });
}

interface SupergraphOptions {
  /** @default a folder that goes with the test */
  readonly folder?: string;
  /** @default 5000 ms */
  readonly removalGraceMs?: number;
  /** @default 60000 ms */
  readonly sdlPollIntervalMs?: number;
  /** Makes ready what serves graphs. */
  readonly beforeFirst?: (graph: Graph) => Promise<void>;
  /** Policy of what may be put in service; the registry is restricted by it. @default everything may */
  readonly policy?: LaunchPolicy;
  /** Composes in the place of Apollo's composition. */
  readonly compose?: Composer['compose'];
}

/** A graph that is served, with the commands of an operator. */
export type TestSupergraph = ServedGraph & Operator & { readonly stop: () => Promise<void> };

/** Follows a registry as the gateway does, but composes in this thread, until the test ends. */
export async function startSupergraph(
  registryView: RegistryView,
  options: SupergraphOptions = {},
): Promise<TestSupergraph> {
  const { policy = openToAll } = options;
  const registry = policy.restrict(registryView);
  const folder = options.folder ?? (await makeFolder());
  const history = await openLaunchHistory(folder, silentLog);
  const composer: Composer = {
    compose: options.compose ?? (subgraphs => Promise.resolve({ outcome: compose(subgraphs), changes: [] })),
    close: () => Promise.resolve(),
  };
  const launcher = createLauncher({
    composer,
    history,
    hotOperations: rememberHotOperations(),
    graph: { clientOf: () => () => Promise.resolve({ data: {} }), maxPlans: 10 },
    log: silentLog,
  });
  const sdlPollIntervalMs = options.sdlPollIntervalMs ?? 60_000;
  const sdls = createSdlReader({ pollIntervalMs: sdlPollIntervalMs, servedSdlOf: history.servedSdlOf });
  const served = new ServedGraph({
    versionOf: sdls.versionOf,
    ...(options.beforeFirst ? { beforeFirst: options.beforeFirst } : {}),
    log: silentLog,
  });
  const supergraph = followSupergraph({
    registry,
    sdls,
    served,
    launcher,
    history,
    removalGraceMs: options.removalGraceMs ?? 5_000,
    sdlPollIntervalMs,
    policy,
    log: silentLog,
  });
  onTestFinished(() => supergraph.close());
  return Object.assign(served, {
    rollBack: supergraph.rollBack,
    follow: supergraph.follow,
    approve: supergraph.approve,
    remove: supergraph.remove,
    stop: supergraph.close,
  });
}

/** Makes a folder that goes with the test. */
export async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'portico-supergraph-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
