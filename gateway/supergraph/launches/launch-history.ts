import { appendFile, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { messageOf } from '../../../platform/errors.ts';
import type { Logger } from '../../../platform/log.ts';
import { readIfThere, replaceFile } from '../../../platform/whole-file.ts';
import type { Subgraph } from '../composition/compose.ts';

const launchSchema = z.object({
  /** Counts from 1. */
  id: z.number().int(),
  at: z.iso.datetime(),
  /** Cause of the composition. */
  cause: z.enum(['registry', 'rollback', 'follow']),
  /** Outcome of the composition. */
  outcome: z.enum(['served', 'failed']),
  /** Time from the first step to serving it, in ms. */
  durationMs: z.number(),
  /** The subgraphs that it was made of. */
  subgraphs: z.array(z.object({ name: z.string(), hash: z.string() })),
  /** Subgraphs that came, changed or went against the launch before. */
  changed: z.array(z.object({ name: z.string(), from: z.string().optional(), to: z.string().optional() })),
  /** Changes for clients. */
  changes: z.array(
    z.object({
      type: z.string(),
      message: z.string(),
      path: z.string(),
      severity: z.enum(['breaking', 'dangerous', 'safe']),
    }),
  ),
  /** Reasons for which it failed, or what was held back. */
  faults: z.array(z.string()),
});

/** One composition: when, why, of what, what it changed, and what became of it. */
export type Launch = z.infer<typeof launchSchema>;

/** Launches that are kept of each outcome: however many fail, the ones that were served stay. */
const keptLaunches = 100;

/** Every launch, and the SDLs of those that were served, on disk. */
export interface LaunchHistory {
  /** Oldest first. */
  readonly launches: readonly Launch[];
  /** Adds a launch. The SDLs of one that was served are kept as long as it is. */
  add(launch: Omit<Launch, 'id'>, subgraphs: readonly Subgraph[]): Promise<Launch>;
  /** The subgraphs of a launch that was served; undefined when there is none, or its SDLs are gone. */
  subgraphsOf(id: number): Promise<Subgraph[] | undefined>;
  /** The subgraphs that were served last. */
  lastServed(): Promise<Subgraph[] | undefined>;
  /** The SDL of a version of a subgraph that was served in a launch that is kept; undefined of any other. */
  servedSdlOf(name: string, hash: string): string | undefined;
}

/** Opens the history in a folder, which is made. A folder that can't be used is told of once; then memory must do. */
export async function openLaunchHistory(folder: string, log: Logger): Promise<LaunchHistory> {
  const file = join(folder, 'launches.jsonl');
  const sdlFolder = join(folder, 'sdl');
  const sdlByKey = new Map<string, string>();
  /** Keys of the SDLs that are on disk. */
  const stored = new Set<string>();
  let launches: Launch[] = [];

  /** Runs an access to the disk. A failure must not keep the graph from being served. */
  async function onDisk(what: string, run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      log.error({ folder }, `${what} failed; a restart will not know it: ${messageOf(error)}`);
    }
  }

  async function load(): Promise<void> {
    await mkdir(sdlFolder, { recursive: true });
    launches = keepLatest((await readIfThere(file)).split('\n').flatMap(readLaunch));
    for (const version of servedVersions()) {
      const sdl = await readIfThere(join(sdlFolder, sdlFileOf(version)));
      if (sdl === '') continue;
      sdlByKey.set(keyOf(version), sdl);
      stored.add(keyOf(version));
    }
    // A line that a crash has cut off must not swallow the next one.
    await compact();
  }

  function servedVersions(): Version[] {
    return launches.filter(({ outcome }) => outcome === 'served').flatMap(({ subgraphs }) => subgraphs);
  }

  /** Keeps the file short, and only the SDLs that a kept launch was served with. */
  async function compact(): Promise<void> {
    await replaceFile(file, launches.map(launch => `${JSON.stringify(launch)}\n`).join(''));
    const needed = new Set(servedVersions().map(sdlFileOf));
    for (const name of await readdir(sdlFolder))
      if (!needed.has(name)) await rm(join(sdlFolder, name), { force: true });
  }

  /** @returns the subgraphs that are not on disk yet */
  function remember(subgraphs: readonly Subgraph[]): Subgraph[] {
    const unstored = subgraphs.filter(
      each => !stored.has(keyOf(each)) || sdlByKey.get(keyOf(each)) !== each.sdl,
    );
    for (const each of unstored) {
      sdlByKey.set(keyOf(each), each.sdl);
      stored.delete(keyOf(each));
    }
    return unstored;
  }

  function forgetUnneeded(): void {
    const needed = new Set(servedVersions().map(keyOf));
    for (const key of sdlByKey.keys())
      if (!needed.has(key)) {
        sdlByKey.delete(key);
        stored.delete(key);
      }
  }

  function find(launch: Launch | undefined): Subgraph[] | undefined {
    if (launch?.outcome !== 'served') return undefined;
    const found = launch.subgraphs.map(({ name, hash }) => ({
      name,
      hash,
      sdl: sdlByKey.get(keyOf({ name, hash })),
    }));
    return found.every((each): each is Subgraph => each.sdl !== undefined) ? found : undefined;
  }

  await onDisk('Reading the launch history', load);
  return {
    get launches() {
      return launches;
    },
    async add(launch, subgraphs) {
      const added = { id: (launches.at(-1)?.id ?? 0) + 1, ...launch };
      launches = keepLatest([...launches, added]);
      const unstored = added.outcome === 'served' ? remember(subgraphs) : [];
      forgetUnneeded();
      await onDisk('Writing the launch history', async () => {
        for (const each of unstored) {
          await replaceFile(join(sdlFolder, sdlFileOf(each)), each.sdl);
          stored.add(keyOf(each));
        }
        if (added.id % keptLaunches === 0) await compact();
        else await appendFile(file, `${JSON.stringify(added)}\n`);
      });
      return added;
    },
    subgraphsOf: id => Promise.resolve(find(launches.find(launch => launch.id === id))),
    servedSdlOf: (name, hash) => sdlByKey.get(keyOf({ name, hash })),
    lastServed: () => Promise.resolve(find(launches.findLast(launch => launch.outcome === 'served'))),
  };
}

type Version = Pick<Subgraph, 'name' | 'hash'>;

function keyOf({ name, hash }: Version): string {
  return `${name}@${hash}`;
}

/** The last launches of each outcome, oldest first. */
function keepLatest(launches: readonly Launch[]): Launch[] {
  const latest = (wanted: Launch['outcome']) =>
    launches.filter(({ outcome }) => outcome === wanted).slice(-keptLaunches);
  return [...latest('served'), ...latest('failed')].sort((a, b) => a.id - b.id);
}

/** A line that a crash has cut off is left out. */
function readLaunch(line: string): Launch[] {
  if (line === '') return [];
  try {
    return [launchSchema.parse(JSON.parse(line))];
  } catch {
    return [];
  }
}

/** Names and hashes come from the registry: nothing of them may be a path. */
function sdlFileOf({ name, hash }: Version): string {
  return `${encodeURIComponent(name)}@${encodeURIComponent(hash)}.graphql`.replaceAll('..', '%2E%2E');
}
