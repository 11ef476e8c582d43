import { type ExecutionResult, OperationTypeNode } from 'graphql';
import type { IncrementalResult } from '../execution/incremental.ts';
import type { OperationContext } from '../operation-context.ts';
import type { Operation } from '../subscriptions/operation.ts';

/**
 * Runs an operation whose fragments with `@defer` come after the rest.
 *
 * @throws GraphQLError when it can't be planned
 */
export async function runInParts(
  { graph, document, request }: Operation,
  context: OperationContext,
): Promise<ExecutionResult | IncrementalResult> {
  const { query, operationName, variables } = request;
  const operation = graph.compiledIncremental({
    document,
    queryHash: query,
    operationName: operationName ?? undefined,
  });
  if (!operation) throw new Error('An operation was read from a document that does not have it');
  // A mutation runs to its end, whoever has left.
  const { signal: _, ...lasting } = context;
  const isMutation = operation.kind === OperationTypeNode.MUTATION;
  const given = variables ?? {};
  const grants = graph.grantsOf(context.caller);
  const result = await operation.run({
    variables: given,
    grants,
    fetch: graph.fetchFor(isMutation ? lasting : context),
  });
  const { report } = context;
  if (!report) return result;
  const queryPlan = report.describe(operation.planFor({ variables: given, grants }));
  if (!('initial' in result)) return withQueryPlan(result, queryPlan);
  return { ...result, initial: withQueryPlan(result.initial, queryPlan) };
}

/** Adds the plan, and the fetches that were made until now. */
function withQueryPlan(result: ExecutionResult, queryPlan: unknown): ExecutionResult {
  return { ...result, extensions: { ...result.extensions, queryPlan } };
}
