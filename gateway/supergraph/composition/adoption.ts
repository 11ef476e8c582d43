import type { CompositionFault, Subgraph } from './compose.ts';
import type { Composition } from './composer.ts';

/** A subgraph for the next graph: its versions, the most wanted first. */
export interface Candidate {
  readonly name: string;
  readonly versions: readonly Subgraph[];
  /** Time at which the first of its instances registered, in ms since 1970. @default 0 */
  readonly sinceMs?: number;
}

/** A version of a subgraph that gets no traffic, because the graph does not compose with it, or the launch policy says so. */
export interface HeldBack {
  readonly subgraph: string;
  /** Empty when it is the subgraph's leaving that is held back. */
  readonly hash: string;
  /** Empty when it is the subgraph's leaving that is held back. */
  readonly sdl: string;
  /** The launch policy does not let it in, or it waits for an operator. @default it does not compose */
  readonly because?: 'policy' | 'approval';
  readonly faults: readonly CompositionFault[];
}

type Composed = Composition & { readonly outcome: { readonly kind: 'composed' } };

/** Versions that the next graph is made of. */
export interface Adoption {
  /** The subgraphs of the next graph, by name. */
  readonly subgraphs: readonly Subgraph[];
  /** Its composition; undefined when nothing is to change. */
  readonly composition: Composed | undefined;
  readonly heldBack: readonly HeldBack[];
}

interface AdoptionOptions {
  /** Subgraphs that are served now, by name; empty when none is. */
  readonly served: readonly Subgraph[];
  /** Every subgraph that is to be in the next graph, by name. */
  readonly wanted: readonly Candidate[];
  readonly compose: (subgraphs: readonly Subgraph[]) => Promise<Composition>;
}

/**
 * Finds the most wanted versions that compose together. All at once is tried first, since changes may need each other;
 * when that fails, they are tried one by one on top of what is served, and what does not compose is held back. Of two that
 * contradict each other, the one that has been there for longer stays.
 */
export async function adopt({ served, wanted, compose }: AdoptionOptions): Promise<Adoption> {
  const most = wanted.flatMap(({ versions: [first] }) => first ?? []);
  if (isSame(served, most)) return { subgraphs: served, composition: undefined, heldBack: [] };
  const all = await compose(most);
  if (isComposed(all)) return { subgraphs: most, composition: all, heldBack: [] };

  const heldBackByName = new Map<string, HeldBack[]>();
  let current: Omit<Adoption, 'heldBack'> = { subgraphs: served, composition: undefined };
  let waiting = changesOf(served, wanted);
  for (let before = Number.POSITIVE_INFINITY; waiting.length < before; ) {
    before = waiting.length;
    const failed: Change[] = [];
    for (const change of waiting) {
      const tried = await tryVersions(current.subgraphs, change, compose);
      heldBackByName.set(change.name, tried.heldBack);
      if (tried.adopted) current = tried.adopted;
      else failed.push(change);
    }
    waiting = failed;
  }
  return { ...current, heldBack: [...heldBackByName.values()].flat() };
}

/** A subgraph that comes or changes to one of its versions, or, without any, goes. */
interface Change {
  readonly name: string;
  readonly to: readonly (Subgraph | undefined)[];
}

function changesOf(served: readonly Subgraph[], wanted: readonly Candidate[]): Change[] {
  const hashByName = new Map(served.map(({ name, hash }) => [name, hash]));
  const wantedNames = new Set(wanted.map(({ name }) => name));
  const oldestFirst = [...wanted].sort((a, b) => (a.sinceMs ?? 0) - (b.sinceMs ?? 0));
  const arrivals = oldestFirst.flatMap(({ name, versions }) => {
    const servedAt = versions.findIndex(({ hash }) => hash === hashByName.get(name));
    const better = servedAt < 0 ? versions : versions.slice(0, servedAt);
    return better.length > 0 ? [{ name, to: better }] : [];
  });
  const removals = served.filter(({ name }) => !wantedNames.has(name));
  return [...arrivals, ...removals.map(({ name }) => ({ name, to: [undefined] }))];
}

async function tryVersions(
  subgraphs: readonly Subgraph[],
  { name, to }: Change,
  compose: AdoptionOptions['compose'],
): Promise<{ adopted: Omit<Adoption, 'heldBack'> | undefined; heldBack: HeldBack[] }> {
  const heldBack: HeldBack[] = [];
  for (const version of to) {
    const next = replace(subgraphs, name, version);
    const composition = await compose(next);
    if (isComposed(composition)) return { adopted: { subgraphs: next, composition }, heldBack };
    const { outcome } = composition;
    const { faults, because } = outcome.kind === 'failed' ? outcome : { faults: [] };
    heldBack.push({
      subgraph: name,
      hash: version?.hash ?? '',
      sdl: version?.sdl ?? '',
      ...(because ? { because } : {}),
      faults,
    });
  }
  return { adopted: undefined, heldBack };
}

function replace(subgraphs: readonly Subgraph[], name: string, version: Subgraph | undefined): Subgraph[] {
  const others = subgraphs.filter(subgraph => subgraph.name !== name);
  return (version ? [...others, version] : others).sort((a, b) => a.name.localeCompare(b.name));
}

function isComposed(composition: Composition): composition is Composed {
  return composition.outcome.kind === 'composed';
}

/** Tells whether two lists, in the order of their names, name the same versions. */
function isSame(a: readonly Subgraph[], b: readonly Subgraph[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ name, hash }, index) => b[index]?.name === name && b[index]?.hash === hash)
  );
}
