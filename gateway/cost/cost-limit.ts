import { type DocumentNode, GraphQLError, type GraphQLSchema, type OperationDefinitionNode } from 'graphql';
import { Histogram, type Registry } from 'prom-client';
import type { CostLimit } from '../execution/cost.ts';
import { compileEstimate } from './estimate.ts';
import { readWeights } from './weights.ts';

interface CostOptions {
  /** Largest cost of an operation; 0 for any. */
  readonly maxCost: number;
  readonly defaultListSize: number;
  /** True if operations that cost more are counted, and run all the same. */
  readonly measuresOnly: boolean;
  readonly metrics: Registry;
}

/** Creates the limit of each graph's operations. */
export type CreateCostLimit = (supergraphSdl: string, schema: GraphQLSchema) => CostLimit | undefined;

/** Code of an operation that costs too much, as Apollo Router has it. */
const code = 'COST_ESTIMATED_TOO_EXPENSIVE';

/** Limits the estimated cost of operations. */
export function createCostLimits({
  maxCost,
  defaultListSize,
  measuresOnly,
  metrics,
}: CostOptions): CreateCostLimit {
  const costs = new Histogram({
    name: 'gateway_operation_cost_estimated',
    help: 'Estimated costs of operations, by result: ok, or too_expensive.',
    labelNames: ['result'],
    buckets: [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000],
    registers: [metrics],
  });
  return (supergraphSdl, schema) => {
    if (maxCost === 0) return undefined;
    const weights = readWeights(supergraphSdl);
    return {
      compile(document: DocumentNode, operation: OperationDefinitionNode) {
        const estimate = compileEstimate({ schema, weights, defaultListSize }, document, operation);
        return variables => {
          const cost = estimate(variables);
          const isTooMuch = cost > maxCost;
          costs.observe({ result: isTooMuch ? 'too_expensive' : 'ok' }, cost);
          if (!isTooMuch || measuresOnly) return undefined;
          return new GraphQLError(
            `The operation costs ${cost} by its lists and objects, and may cost ${maxCost} (OPERATION_MAX_COST). Ask for fewer items, or in several operations`,
            { extensions: { code, estimatedCost: cost, maxCost, http: { status: 400 } } },
          );
        };
      },
    };
  };
}
