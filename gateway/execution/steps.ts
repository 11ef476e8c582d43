import type { PlanNode } from '@apollo/query-planner';
import type { GraphQLSchema } from 'graphql';
import type { Failures } from './failures.ts';
import { compileFetch } from './fetch-step.ts';
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
}

/** A part of a plan, compiled: fills the objects at these places. */
export type Step = (run: Run, places: readonly Place[]) => Promise<void>;

/** Compiles a node of a query plan. @throws Error for a node that it does not know */
export function compileStep(node: PlanNode, schema: GraphQLSchema): Step {
  switch (node.kind) {
    case 'Fetch':
      return compileFetch(node, schema);
    case 'Sequence':
      return inSequence(node.nodes.map(each => compileStep(each, schema)));
    case 'Parallel':
      return inParallel(node.nodes.map(each => compileStep(each, schema)));
    case 'Flatten': {
      const { path } = node;
      const step = compileStep(node.node, schema);
      return (run, places) => step(run, placesAt(places, path));
    }
    case 'Condition': {
      const { condition, ifClause, elseClause } = node;
      const ifTrue = ifClause ? compileStep(ifClause, schema) : undefined;
      const ifFalse = elseClause ? compileStep(elseClause, schema) : undefined;
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
