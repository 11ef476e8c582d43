import type { GraphQLError, GraphQLSchema } from 'graphql';
import { Histogram, type Registry } from 'prom-client';
import type { GatewayConfig } from '../config.ts';
import type { CostAccount, CostModel } from '../execution/cost.ts';
import { GatewayError, refusalOf } from '../gateway-error.ts';
import type { CountedParty } from '../security/rate-limit.ts';
import { compileActual } from './actual.ts';
import type { Charge, CostBudget } from './budget.ts';
import type { CostReport } from './cost-report.ts';
import { compileEstimate } from './estimate.ts';
import { readWeights } from './weights.ts';

type CostConfig = Pick<
  GatewayConfig,
  'OPERATION_MAX_COST' | 'OPERATION_DEFAULT_LIST_SIZE' | 'OPERATION_COST_MEASURE_ONLY'
>;

interface CostOptions {
  readonly config: CostConfig;
  /** Undefined when costs do not add up. */
  readonly budget: CostBudget | undefined;
  readonly metrics: Registry;
}

/** Costs of operations: estimated before they run, counted afterwards, and limited. */
export interface Costs {
  modelOf(supergraphSdl: string, schema: GraphQLSchema): CostModel;
  /** Account of a run for a client. */
  accountOf(client: CountedParty & { readonly costReport?: CostReport | undefined }): CostAccount;
  /** Takes an estimate. @returns the error of an operation that costs too much */
  check(estimate: number): GraphQLError | undefined;
}

const buckets = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000];

/** Creates the costs. */
export function createCosts({ config, budget, metrics }: CostOptions): Costs {
  const { OPERATION_MAX_COST: maxCost, OPERATION_COST_MEASURE_ONLY: measuresOnly } = config;
  const estimates = new Histogram({
    name: 'gateway_operation_cost_estimated',
    help: 'Estimated costs of operations, by result: ok, or too_expensive.',
    labelNames: ['result'],
    buckets,
    registers: [metrics],
  });
  const actuals = new Histogram({
    name: 'gateway_operation_cost_actual',
    help: 'Costs of operations by the items that their answers had.',
    buckets,
    registers: [metrics],
  });

  function check(estimate: number): GraphQLError | undefined {
    const isTooMuch = maxCost > 0 && estimate > maxCost;
    estimates.observe({ result: isTooMuch ? 'too_expensive' : 'ok' }, estimate);
    if (!isTooMuch || measuresOnly) return undefined;
    return refusalOf(
      new GatewayError(
        'COST_ESTIMATED_TOO_EXPENSIVE',
        `The operation costs ${estimate} by its lists and objects, and may cost ${maxCost} (OPERATION_MAX_COST). Ask for fewer items, or in several operations`,
        { details: { estimatedCost: estimate, maxCost } },
      ),
    );
  }

  return {
    modelOf(supergraphSdl, schema) {
      const weights = readWeights(supergraphSdl);
      const estimateOptions = { schema, weights, defaultListSize: config.OPERATION_DEFAULT_LIST_SIZE };
      return {
        estimateOf: (document, operation) => compileEstimate(estimateOptions, document, operation),
        actualOf: (type, selection) => compileActual({ schema, weights }, type, selection),
      };
    },
    check,
    accountOf(client) {
      let estimated = 0;
      let charge: Charge | undefined;
      return {
        async charge(estimate) {
          client.costReport?.note({ requestedQueryCost: estimate });
          const refusal = check(estimate);
          if (refusal || !budget) return refusal;
          const taken = await budget.take(client, estimate);
          if (taken instanceof GatewayError) return measuresOnly ? undefined : refusalOf(taken);
          [charge, estimated] = [taken, estimate];
          return undefined;
        },
        settle(actual) {
          client.costReport?.note({ actualQueryCost: actual });
          actuals.observe(actual);
          if (estimated > actual) void charge?.giveBack(estimated - actual);
        },
      };
    },
  };
}
