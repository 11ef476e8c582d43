import { appendFile, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { messageOf } from '../../platform/errors.ts';
import type { Logger } from '../../platform/log.ts';
import type { Subgraph } from './compose.ts';

const launchSchema = z.object({
  /** Counts from 1. */
  id: z.number().int(),
  at: z.iso.datetime(),
  /** Why there was a composition. */
  cause: z.enum(['registry', 'rollback', 'follow']),
  /** What became of it. */
  outcome: z.enum(['served', 'failed']),
  /** Time from the first step to serving it, in ms. */
  durationMs: z.number(),
  /** The subgraphs that it was made of. */
  subgraphs: z.array(z.object({ name: z.string(), hash: z.string() })),
  /** Subgraphs that came, changed or went against the launch before. */
  changed: z.array(z.object({ name: z.string(), from: z.string().optional(), to: z.string().optional() })),
  /** What it changed for clients. */
  changes: z.array(
    z.object({
      type: z.string(),
      message: z.string(),
      path: z.string(),
      severity: z.enum(['breaking', 'dangerous', 'safe']),
    }),
  ),
  /** Why it failed, or what was held back. */
  faults: z.array(z.string()),
});

/** One composition: when, why, of what, what it changed, and what became of it. */
export type Launch = z.infer<typeof launchSchema>;

/** Launches that are kept. */
const keptLaunches = 200;

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
}

/** Opens the history in a folder, which is made. A folder that can't be used is told of once; then memory must do. */
export async function openLaunchHistory(folder: string, log: Logger): Promise<LaunchHistory> {
  const file = join(folder, 'launches.jsonl');
  const sdlFolder = join(folder, 'sdl');
  const sdlByKey = new Map<string, string>();
  let launches: Launch[] = [];

  /** What fails on disk must not keep the graph from being served. */
  async function onDisk(what: string, run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      log.error({ folder }, `${what} failed; a restart will not know it: ${messageOf(error)}`);
    }
  }

  async function load(): Promise<void> {
    await mkdir(sdlFolder, { recursive: true });
    const text = await readFile(file, 'utf8').catch(() => '');
    launches = text.split('\n').flatMap(readLaunch).slice(-keptLaunches);
    for (const { name, hash } of launches.flatMap(({ subgraphs }) => subgraphs)) {
      const sdl = await readFile(join(sdlFolder, sdlFileOf(name, hash)), 'utf8').catch(() => undefined);
      if (sdl !== undefined) sdlByKey.set(`${name}@${hash}`, sdl);
    }
  }

  /** Keeps the file short, and only the SDLs that a kept launch is made of. */
  async function compact(): Promise<void> {
    const temporary = `${file}.new`;
    await writeFile(temporary, launches.map(launch => `${JSON.stringify(launch)}\n`).join(''));
    await rename(temporary, file);
    const needed = new Set(
      launches.flatMap(({ subgraphs }) => subgraphs.map(({ name, hash }) => sdlFileOf(name, hash))),
    );
    for (const name of await readdir(sdlFolder))
      if (!needed.has(name)) await rm(join(sdlFolder, name), { force: true });
  }

  function find(launch: Launch | undefined): Subgraph[] | undefined {
    if (launch?.outcome !== 'served') return undefined;
    const found = launch.subgraphs.map(({ name, hash }) => ({
      name,
      hash,
      sdl: sdlByKey.get(`${name}@${hash}`),
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
      launches = [...launches, added].slice(-keptLaunches);
      await onDisk('Writing the launch history', async () => {
        if (added.outcome === 'served')
          for (const { name, hash, sdl } of subgraphs) {
            sdlByKey.set(`${name}@${hash}`, sdl);
            await writeFile(join(sdlFolder, sdlFileOf(name, hash)), sdl);
          }
        if (added.id % keptLaunches === 0) await compact();
        else await appendFile(file, `${JSON.stringify(added)}\n`);
      });
      return added;
    },
    subgraphsOf: id => Promise.resolve(find(launches.find(launch => launch.id === id))),
    lastServed: () => Promise.resolve(find(launches.findLast(launch => launch.outcome === 'served'))),
  };
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
function sdlFileOf(name: string, hash: string): string {
  return `${encodeURIComponent(name)}@${encodeURIComponent(hash)}.graphql`.replaceAll('..', '%2E%2E');
}
