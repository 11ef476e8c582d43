import type { PlanNode, ResponsePath } from '@apollo/query-planner';
import type { GraphQLSchema } from 'graphql';
import type { DataObject } from './data.ts';
import type { Failures } from './failures.ts';
import { compileFetch } from './fetch-step.ts';
import { type Overlaps, overlapsOf } from './overlaps.ts';
import type { FetchFromSubgraph } from './subgraph-answer.ts';

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

/** Compiles a query plan. @throws Error for a node that it does not know */
export function compilePlan(plan: PlanNode, schema: GraphQLSchema): Step {
  return compileStep(plan, { schema, path: [], overlaps: overlapsOf(plan) });
}

/** Input of the compilation of a step. */
export interface StepContext {
  /** The supergraph's schema. */
  readonly schema: GraphQLSchema;
  /** Where the step's objects are. */
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
    case 'Flatten':
      return compileStep(node.node, { ...context, path: [...context.path, ...node.path] });
    case 'Condition': {
      const { condition, ifClause, elseClause } = node;
      const ifTrue = ifClause ? compileStep(ifClause, context) : undefined;
      const ifFalse = elseClause ? compileStep(elseClause, context) : undefined;
      return async run => (run.coerced[condition] === true ? ifTrue : ifFalse)?.(run);
    }
    case 'Defer':
      throw new Error('A query plan has a Defer node, which is planned only on request');
    default:
      return node satisfies never;
  }
}

function inSequence(steps: readonly Step[]): Step {
  return async run => {
    for (const step of steps) await step(run);
  };
}

function inParallel(steps: readonly Step[]): Step {
  return async run => {
    await Promise.all(steps.map(step => step(run)));
  };
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
