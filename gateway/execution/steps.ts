import type { PlanNode } from '@apollo/query-planner';
import type { GraphQLSchema } from 'graphql';
import { compileFetch } from './fetch-step.ts';
import { overlapsOf } from './overlaps.ts';
import type { DeferredBlock, Step, StepContext } from './run.ts';
import { twinsOf } from './twins.ts';

/** Compiles a query plan. @throws Error for a node that it does not know */
export function compilePlan(plan: PlanNode, schema: GraphQLSchema): Step {
  return compileStep(plan, { schema, path: [], overlaps: overlapsOf(plan), twins: twinsOf(plan) });
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
    case 'Defer': {
      const { primary, deferred } = node;
      const step = primary.node ? compileStep(primary.node, context) : undefined;
      const blocks = deferred.map(each => ({
        label: each.label,
        depends: each.depends.map(({ id }) => id),
        step: each.node ? compileStep(each.node, context) : undefined,
      }));
      return deferring(step, blocks);
    }
    default:
      return node satisfies never;
  }
}

function inSequence(steps: readonly Step[]): Step {
  return async run => {
    for (const step of steps) await step(run);
  };
}

function deferring(primary: Step | undefined, blocks: readonly DeferredBlock[]): Step {
  return async run => {
    const done = Promise.resolve(primary?.(run));
    run.deferral?.begin(blocks, run, done);
    await done;
  };
}

function inParallel(steps: readonly Step[]): Step {
  return async run => {
    await Promise.all(steps.map(step => step(run)));
  };
}
