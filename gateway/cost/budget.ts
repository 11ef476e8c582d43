import type { RateLimiterAbstract } from 'rate-limiter-flexible';
import type { GatewayConfig } from '../config.ts';
import { GatewayError } from '../gateway-error.ts';
import { type CreateLimiter, consume } from '../security/limiters.ts';
import type { CountedParty, RateLimitedCounter } from '../security/rate-limit.ts';

type BudgetConfig = Pick<
  GatewayConfig,
  'RATE_LIMIT_CALLER_COST_PER_MINUTE' | 'RATE_LIMIT_ADDRESS_COST_PER_MINUTE'
>;

/** Costs that a caller or an address may spend in a minute. */
export interface CostBudget {
  /** Takes an estimate. @returns the error of an operation for which too little is left */
  take(party: CountedParty, cost: number): Promise<GatewayError | undefined>;
  /** Gives back what an operation did not use. */
  giveBack(party: CountedParty, cost: number): Promise<void>;
}

/** Creates the budgets. @returns undefined when there are none */
export function createCostBudget(
  config: BudgetConfig,
  createLimiter: CreateLimiter,
  refused: RateLimitedCounter,
): CostBudget | undefined {
  const byCaller = createLimiter('caller_cost', config.RATE_LIMIT_CALLER_COST_PER_MINUTE);
  const byAddress = createLimiter('address_cost', config.RATE_LIMIT_ADDRESS_COST_PER_MINUTE);
  if (!byCaller && !byAddress) return undefined;

  function accountOf({ caller, address }: CountedParty) {
    const { caller: known } = caller;
    if (known) return byCaller && { by: 'caller', limiter: byCaller, key: known.id };
    return byAddress && { by: 'address', limiter: byAddress, key: address };
  }

  return {
    async take(party, cost) {
      const account = accountOf(party);
      if (!account || cost === 0) return undefined;
      const { by, limiter, key } = account;
      const outcome = await consume(limiter, key, cost);
      if (outcome.consumedPoints <= limiter.points) return undefined;
      await limiter.reward(key, cost);
      refused.inc({ by: `${by}_cost` });
      return tooLittleLeft(by, cost, limiter, outcome);
    },
    async giveBack(party, cost) {
      const account = accountOf(party);
      await account?.limiter.reward(account.key, cost).catch(() => {});
    },
  };
}

function tooLittleLeft(
  by: string,
  cost: number,
  { points }: RateLimiterAbstract,
  { consumedPoints, msBeforeNext }: { readonly consumedPoints: number; readonly msBeforeNext: number },
): GatewayError {
  const resetSeconds = Math.ceil(msBeforeNext / 1_000);
  const left = Math.max(0, points - (consumedPoints - cost));
  return new GatewayError(
    'COST_BUDGET_EXCEEDED',
    `The operation costs ${cost}, and this ${by} has ${left} of ${points} left in this minute; try again in ${resetSeconds} s, or ask for less`,
    { details: { estimatedCost: cost, availableCost: left, retryAfterSeconds: resetSeconds } },
  );
}
