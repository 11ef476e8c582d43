import type { ResponsePath } from '@apollo/query-planner';
import type { GraphQLSchema } from 'graphql';
import type { DataObject } from './data.ts';
import type { Failures } from './failures.ts';
import type { Overlaps } from './overlaps.ts';
import type { RunEntities } from './run-entities.ts';
import type { FetchFromSubgraph } from './subgraph-answer.ts';
import type { Twins } from './twins.ts';

/** One run of a plan. */
export interface Run {
  /** Answers of all fetches, merged. */
  readonly root: DataObject;
  /** Values as the client gave them. */
  readonly variables: Readonly<Record<string, unknown>>;
  /** Values with the defaults of the operation. */
  readonly coerced: Readonly<Record<string, unknown>>;
  readonly fetch: FetchFromSubgraph;
  readonly failures: Failures;
  /** Extensions of the answers by subgraph; of entries with the same name, the one that came last. */
  readonly extensions: Map<string, Readonly<Record<string, unknown>>>;
  /** Fetches whose plan has them before a field that they require. */
  readonly postponed: PostponedFetch[];
  readonly entities: RunEntities;
  /** Takes the deferred blocks; undefined for an answer that comes as one. */
  readonly deferral?: BlockRunner | undefined;
}

/** A fetch that waits for fields of some of its objects. */
export interface PostponedFetch {
  readonly objects: readonly DataObject[];
  fetch(): Promise<void>;
  /** Gives up: notes why the objects stay without the fields. */
  giveUp(): void;
}

/** A part of a plan, compiled. */
export type Step = (run: Run) => Promise<void>;

/** Input of the compilation of a step. */
export interface StepContext {
  /** The supergraph's schema. */
  readonly schema: GraphQLSchema;
  /** Path of the step's objects. */
  readonly path: ResponsePath;
  readonly overlaps: Overlaps;
  readonly twins: Twins;
}

/** A part of a plan that a `@defer` fragment waits for. */
export interface DeferredBlock {
  readonly label: string | undefined;
  /** Ids of the fetches whose answers it needs. */
  readonly depends: readonly string[];
  /** Undefined when all of it comes with what is before it. */
  readonly step: Step | undefined;
}

/** Runs the deferred blocks of a plan. */
export interface BlockRunner {
  /** Notes that a fetch that others depend on is done. */
  fetched(id: string): void;
  /** Begins blocks that belong to a part of the plan. They begin at the latest when that is done. */
  begin(blocks: readonly DeferredBlock[], run: Run, enclosing: Promise<void>): void;
}

/**
 * Runs a whole plan. Fetches that it has before a field that they require (as the planner does with keys that lead
 * through several subgraphs) are made when the rest is there, and given up when that brings nothing new.
 */
export async function runPlan(step: Step, run: Run): Promise<void> {
  await step(run);
  let waiting = Number.POSITIVE_INFINITY;
  while (run.postponed.length > 0) {
    const postponed = run.postponed.splice(0);
    const objects = postponed.reduce((sum, each) => sum + each.objects.length, 0);
    if (objects >= waiting) {
      for (const each of postponed) each.giveUp();
      return;
    }
    waiting = objects;
    for (const each of postponed) await each.fetch();
  }
}
