import type { Launch } from '../launches/launch-history.ts';
import type { SubgraphVersions } from './sdl-reader.ts';

/** Order in which the versions of subgraphs were first seen. The version that was first seen last is the newest. */
export interface VersionOrder {
  /** Puts the versions of each subgraph in order, the newest first. Call it with all subgraphs. */
  newestFirst(found: readonly SubgraphVersions[]): SubgraphVersions[];
}

interface VersionOrderOptions {
  /** Launches before a restart: what was served then is older than what comes now. Oldest first. */
  readonly launches: readonly Launch[];
  /** A version that no instance has served for so long counts as new when it comes again, in ms. */
  readonly forgetAfterMs: number;
  readonly now?: () => number;
}

interface SeenVersion {
  /** Counts up. */
  readonly order: number;
  /** Time since which no instance serves the version, in ms since 1970; undefined while one does. */
  goneSinceMs: number | undefined;
}

/**
 * Creates the order. The order in which instances registered would not do: one of the old version that is restarted during
 * an upgrade registers last.
 */
export function createVersionOrder(options: VersionOrderOptions): VersionOrder {
  const { launches, forgetAfterMs, now = Date.now } = options;
  const seenByKey = new Map<string, SeenVersion>();
  let count = 0;

  function see(key: string): SeenVersion {
    const known = seenByKey.get(key);
    if (known) return known;
    count += 1;
    const seen = { order: count, goneSinceMs: undefined };
    seenByKey.set(key, seen);
    return seen;
  }

  function forgetGone(present: ReadonlySet<string>): void {
    for (const [key, seen] of seenByKey) {
      const { goneSinceMs } = seen;
      if (goneSinceMs !== undefined && now() - goneSinceMs > forgetAfterMs) seenByKey.delete(key);
      else seen.goneSinceMs = present.has(key) ? undefined : (goneSinceMs ?? now());
    }
  }

  for (const { outcome, subgraphs } of launches)
    if (outcome === 'served') for (const { name, hash } of subgraphs) see(keyOf(name, hash));

  return {
    newestFirst(found) {
      forgetGone(
        new Set(found.flatMap(({ name, versions }) => versions.map(({ hash }) => keyOf(name, hash)))),
      );
      return found.map(subgraph => {
        const { name, versions } = subgraph;
        // Of those that are seen for the first time together, the one that registered last is the newest.
        for (const { hash } of [...versions].reverse()) see(keyOf(name, hash));
        const orderOf = (hash: string) => see(keyOf(name, hash)).order;
        return { ...subgraph, versions: [...versions].sort((a, b) => orderOf(b.hash) - orderOf(a.hash)) };
      });
    },
  };
}

function keyOf(name: string, hash: string): string {
  return `${name}@${hash}`;
}
