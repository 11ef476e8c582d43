import type { QueryPlan } from '@apollo/query-planner';
import type { ExecutionResult } from 'graphql';
import type { OperationContext } from './operation-context.ts';

/** Adds what was asked to be reported of a run to the extensions of its result. */
export function withReports(
  result: ExecutionResult,
  { report, costReport }: Pick<OperationContext, 'report' | 'costReport'>,
  plan: () => QueryPlan | undefined,
): ExecutionResult {
  if (!report && !costReport) return result;
  return {
    ...result,
    extensions: {
      ...result.extensions,
      ...(report ? { queryPlan: report.describe(plan()) } : {}),
      ...(costReport ? { cost: costReport.costs } : {}),
    },
  };
}
