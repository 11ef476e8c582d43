import type { PlanNode, ResponsePath } from '@apollo/query-planner';
import type { GraphQLSchema } from 'graphql';
import type { DataObject } from './data.ts';
import type { Failures } from './failures.ts';
import { compileFetch } from './fetch-step.ts';
import { type Overlaps, overlapsOf } from './overlaps.ts';
import { type Place, placesAt } from './places.ts';
import type { FetchFromSubgraph } from './subgraph-answer.ts';

/** One run of a plan. */
export interface Run {
  /** Values as the client gave them. */
  readonly variables: Readonly<Record<string, unknown>>;
  /** Values with the defaults of the operation. */
  readonly coerced: Readonly<Record<string, unknown>>;
  readonly fetch: FetchFromSubgraph;
  readonly failures: Failures;
  /** Fetches whose plan has them before a field that they require. */
  readonly postponed: PostponedFetch[];
}

/** A fetch that waits for fields of some of its places. */
export interface PostponedFetch {
  readonly places: readonly Place[];
  fetch(): Promise<void>;
  /** Gives up: notes why the places stay without the fields. */
  giveUp(): void;
}

/** A part of a plan, compiled: fills the objects at these places. */
export type Step = (run: Run, places: readonly Place[]) => Promise<void>;

/** Compiles a query plan. @throws Error for a node that it does not know */
export function compilePlan(plan: PlanNode, schema: GraphQLSchema): Step {
  return compileStep(plan, { schema, path: [], overlaps: overlapsOf(plan) });
}

/** What a step of a plan is compiled with. */
export interface StepContext {
  /** The supergraph's schema. */
  readonly schema: GraphQLSchema;
  /** Where the step's places are. */
  readonly path: ResponsePath;
  readonly overlaps: Overlaps;
}

function compileStep(node: PlanNode, context: StepContext): Step {
  switch (node.kind) {
    case 'Fetch':
      return compileFetch(node, context);
    case 'Sequence':
      return inSequence(node.nodes.map(each => compileStep(each, context)));
    case 'Parallel':
      return inParallel(node.nodes.map(each => compileStep(each, context)));
    case 'Flatten': {
      const { path } = node;
      const step = compileStep(node.node, { ...context, path: [...context.path, ...path] });
      return (run, places) => step(run, placesAt(places, path));
    }
    case 'Condition': {
      const { condition, ifClause, elseClause } = node;
      const ifTrue = ifClause ? compileStep(ifClause, context) : undefined;
      const ifFalse = elseClause ? compileStep(elseClause, context) : undefined;
      return async (run, places) => (run.coerced[condition] === true ? ifTrue : ifFalse)?.(run, places);
    }
    case 'Defer':
      throw new Error('A query plan has a Defer node, which is planned only on request');
    default:
      return node satisfies never;
  }
}

function inSequence(steps: readonly Step[]): Step {
  return async (run, places) => {
    for (const step of steps) await step(run, places);
  };
}

function inParallel(steps: readonly Step[]): Step {
  return async (run, places) => {
    await Promise.all(steps.map(step => step(run, places)));
  };
}

/**
 * Runs a whole plan. Fetches that it has before a field that they require (as the planner does with keys that lead
 * through several subgraphs) are made when the rest is there, and given up when that brings nothing new.
 */
export async function runStep(step: Step, run: Run, root: DataObject): Promise<void> {
  await step(run, [{ object: root, path: undefined }]);
  let waiting = Number.POSITIVE_INFINITY;
  while (run.postponed.length > 0) {
    const postponed = run.postponed.splice(0);
    const places = postponed.reduce((sum, each) => sum + each.places.length, 0);
    if (places >= waiting) {
      for (const each of postponed) each.giveUp();
      return;
    }
    waiting = places;
    for (const each of postponed) await each.fetch();
  }
}
