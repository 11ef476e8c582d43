import type { Candidate, HeldBack } from '../composition/adoption.ts';
import type { CompositionFault, Subgraph } from '../composition/compose.ts';
import type { Composition } from '../composition/composer.ts';
import type { SchemaChange } from '../composition/schema-diff.ts';
import type { LaunchRules } from './launch-rules.ts';
import { type ForeignDefinition, findForeignDefinitions } from './type-ownership.ts';

/** Facts that a review follows from. */
export interface ReviewSituation {
  readonly rules: LaunchRules;
  /** Subgraphs of the graph that is served. */
  readonly served: readonly Subgraph[];
  /** Its supergraph; undefined when nothing is served. */
  readonly servedSdl: string | undefined;
  /** Tells whether an operator has approved a version. */
  readonly isApproved: (version: Subgraph) => boolean;
}

/** Candidates that may be composed, and the versions that may not. */
export interface Admission {
  readonly wanted: readonly Candidate[];
  readonly heldBack: readonly HeldBack[];
}

/** Review of what the registry asks for, before and after it is composed. */
export interface Review {
  /** Leaves out what the rules do not let in, whatever it composes to: new subgraphs, and what is served against the rules. */
  admit(wanted: readonly Candidate[]): Admission;
  /**
   * Judges what came of composing. What the rules do not let in counts as failed, so that it is held back alone.
   *
   * @param compose composes other subgraphs, against what is served
   */
  judge(
    tried: readonly Subgraph[],
    composition: Composition,
    compose: (subgraphs: readonly Subgraph[]) => Promise<Composition>,
  ): Promise<Composition>;
}

/** Faults that are listed of one version. */
const maxFaults = 20;

/** Creates the review of one step. It decides by the situation alone. */
export function createReview({ rules, served, servedSdl, isApproved }: ReviewSituation): Review {
  const hashByName = new Map(served.map(({ name, hash }) => [name, hash]));
  const isServedVersion = ({ name, hash }: Subgraph) => hashByName.get(name) === hash;
  const foreignServed = servedSdl === undefined ? [] : findForeignDefinitions(servedSdl, rules.types);
  const expelled = new Set(foreignServed.map(({ subgraph }) => subgraph));
  const needsApproval = (name: string) =>
    rules.newSubgraphs === 'approve' && !hashByName.has(name) && !Object.hasOwn(rules.subgraphs, name);

  function refusalOf(version: Subgraph): HeldBack | undefined {
    const { name, hash, sdl } = version;
    if (expelled.has(name) && isServedVersion(version))
      return {
        subgraph: name,
        hash,
        sdl,
        because: 'policy',
        faults: foreignServed
          .filter(({ subgraph }) => subgraph === name)
          .map(each => foreignFault(each, rules)),
      };
    if (!needsApproval(name) || isApproved(version)) return undefined;
    const fault = { code: 'NEW_SUBGRAPH', message: 'the graph has no subgraph of this name', locations: [] };
    return { subgraph: name, hash, sdl, because: 'approval', faults: [fault] };
  }

  /** Breaking changes of what nobody has approved. */
  async function unapprovedChanges(
    tried: readonly Subgraph[],
    { changes }: Composition,
    compose: Parameters<Review['judge']>[2],
  ): Promise<readonly SchemaChange[]> {
    const breaking = changes.filter(isBreaking);
    if (breaking.length === 0) return [];
    const isFree = (version: Subgraph) => isApproved(version) || expelled.has(version.name);
    const arrivals = tried.filter(version => !isServedVersion(version));
    const removals = served.filter(({ name }) => !tried.some(each => each.name === name));
    const free = [...arrivals.filter(isFree), ...removals.filter(({ name }) => expelled.has(name))];
    if (free.length === arrivals.length + removals.length) return [];
    if (free.length === 0) return breaking;
    // What the approved ones alone break is approved; the others are asked about the rest.
    const baseline = await compose(
      [
        ...served.filter(({ name }) => !free.some(each => each.name === name)),
        ...arrivals.filter(isFree),
      ].sort((a, b) => a.name.localeCompare(b.name)),
    );
    const approved = new Set(baseline.changes.filter(isBreaking).map(keyOfChange));
    return breaking.filter(change => !approved.has(keyOfChange(change)));
  }

  return {
    admit(wanted) {
      const heldBack: HeldBack[] = [];
      const admitted = wanted.flatMap(candidate => {
        const versions = candidate.versions.filter(version => {
          const refusal = refusalOf(version);
          if (refusal) heldBack.push(refusal);
          return refusal === undefined;
        });
        return versions.length > 0 ? [{ ...candidate, versions }] : [];
      });
      return { wanted: admitted, heldBack };
    },

    async judge(tried, composition, compose) {
      const { outcome } = composition;
      if (outcome.kind === 'failed') return composition;
      // What is served against the rules, and can't leave, must not keep the others from changing.
      const stays = (name: string) =>
        expelled.has(name) && tried.some(each => each.name === name && isServedVersion(each));
      const foreign = findForeignDefinitions(outcome.supergraphSdl, rules.types).filter(
        ({ subgraph }) => !stays(subgraph),
      );
      if (foreign.length > 0)
        return refused(
          'policy',
          foreign.map(each => foreignFault(each, rules)),
        );
      if (rules.breakingChanges === 'allow') return composition;
      const breaking = await unapprovedChanges(tried, composition, compose);
      if (breaking.length === 0) return composition;
      return refused(
        'approval',
        breaking.map(({ message }) => ({ code: 'BREAKING_CHANGE', message, locations: [] })),
      );
    },
  };
}

function refused(because: 'policy' | 'approval', all: readonly CompositionFault[]): Composition {
  const left = all.length - maxFaults;
  const more = { code: 'MORE', message: `and ${left} more`, locations: [] };
  const faults = left > 0 ? [...all.slice(0, maxFaults), more] : all;
  return { outcome: { kind: 'failed', faults, because }, changes: [] };
}

function foreignFault(
  { subgraph, type, fields }: ForeignDefinition,
  { types }: Pick<LaunchRules, 'types'>,
): CompositionFault {
  const named = fields.slice(0, maxFaults).map(field => `${type}.${field}`);
  const more = fields.length > named.length ? ` and ${fields.length - named.length} more` : '';
  return {
    code: 'TYPE_NOT_OWNED',
    message: `[${subgraph}] defines ${named.join(', ')}${more}, and ${type} belongs to ${(types[type] ?? []).join(', ')}`,
    locations: [],
  };
}

function isBreaking({ severity }: SchemaChange): boolean {
  return severity === 'breaking';
}

function keyOfChange({ type, path, message }: SchemaChange): string {
  return `${type} ${path} ${message}`;
}
