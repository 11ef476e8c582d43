import type { ExecutionResult } from 'graphql';
import type { IncrementalResult } from '../execution/incremental.ts';
import type { OperationContext } from '../operation-context.ts';
import { withReports } from '../reports.ts';
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
  const asked = graph.requestFor(operation.kind, variables ?? {}, context);
  const result = await operation.run(asked);
  const plan = () => operation.planFor(asked);
  if (!('initial' in result)) return withReports(result, context, plan);
  // With the fetches that were made until now.
  return { ...result, initial: withReports(result.initial, context, plan) };
}
