import type { DocumentNode, ExecutionResult, OperationDefinitionNode } from 'graphql';
import type { Logger } from '../../platform/log.ts';
import type { ServiceInstance } from '../../platform/registry/instance.ts';
import { planSubscription } from '../execution/run-event.ts';
import type { OperationCaller } from '../security/operation-caller.ts';
import type { Graph } from '../supergraph/graph.ts';
import type { Upstreams } from './upstream.ts';

interface LiveOperationOptions {
  readonly graph: Graph;
  /** Hash of what an instance serves. */
  readonly versionOf: (instance: ServiceInstance) => string | undefined;
  readonly upstreams: Upstreams;
  readonly document: DocumentNode;
  readonly operation: OperationDefinitionNode;
  readonly variables: Record<string, unknown>;
  readonly caller: OperationCaller;
  readonly log: Logger;
}

/**
 * Runs a client's subscription: opens it at the subgraph that has it, and completes each event from the others. Results
 * come in the order of the events. The iterator throws a GraphQLError when the upstream subscription fails.
 */
export async function startLiveOperation(
  options: LiveOperationOptions,
): Promise<AsyncIterableIterator<ExecutionResult>> {
  const { graph, versionOf, upstreams, caller, variables } = options;
  const { primary, runEvent } = planSubscription(options);
  const events = await upstreams.subscribe({
    subgraph: primary.serviceName,
    serves: instance =>
      versionOf(instance) === graph.subgraphs.find(({ name }) => name === primary.serviceName)?.hash,
    query: primary.operation,
    operationName: primary.operationName,
    variables: pickVariables(variables, primary.variableUsages ?? []),
    caller,
  });
  const results: AsyncIterableIterator<ExecutionResult> = {
    async next() {
      const event = await events.next();
      if (event.done) return { done: true, value: undefined };
      return { done: false, value: await runEvent(event.value) };
    },
    async return() {
      await events.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => results,
  };
  return results;
}

function pickVariables(
  variables: Record<string, unknown>,
  names: readonly string[],
): Record<string, unknown> {
  return Object.fromEntries(names.filter(name => name in variables).map(name => [name, variables[name]]));
}
