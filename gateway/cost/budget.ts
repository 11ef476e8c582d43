import type { RateLimiterAbstract } from 'rate-limiter-flexible';
import type { GatewayConfig } from '../config.ts';
import { GatewayError } from '../gateway-error.ts';
import { type CreateLimiter, consume } from '../security/limiters.ts';
import { type CountedParty, limitParties, type RateLimitedCounter } from '../security/rate-limit.ts';

type BudgetConfig = Pick<
  GatewayConfig,
  'RATE_LIMIT_CALLER_COST_PER_MINUTE' | 'RATE_LIMIT_ADDRESS_COST_PER_MINUTE'
>;

/** What an operation was charged with. */
export interface Charge {
  /** Gives back what it did not use. After the minute that it was taken from there is nothing to give back. */
  giveBack(unused: number): Promise<void>;
}

const free: Charge = { giveBack: () => Promise.resolve() };

/** Costs that a caller or an address may spend in a minute. */
export interface CostBudget {
  /** Takes an estimate. @returns what was taken; the error of an operation for which too little is left */
  take(party: CountedParty, cost: number): Promise<Charge | GatewayError>;
}

/** Creates the budgets. @returns undefined when there are none */
export function createCostBudget(
  config: BudgetConfig,
  createLimiter: CreateLimiter,
  refused: RateLimitedCounter,
): CostBudget | undefined {
  const perMinute = {
    caller: config.RATE_LIMIT_CALLER_COST_PER_MINUTE,
    address: config.RATE_LIMIT_ADDRESS_COST_PER_MINUTE,
  };
  const accountOf = limitParties(createLimiter, perMinute, '_cost');
  if (!accountOf) return undefined;

  return {
    async take(party, cost) {
      const account = accountOf(party);
      if (!account || cost === 0) return free;
      const { by, limiter, key } = account;
      // Whatever is more than there is makes no difference, and would not be counted exactly.
      const points = Math.min(cost, limiter.points + 1);
      const outcome = await consume(limiter, key, points);
      if (outcome.consumedPoints > limiter.points) {
        await limiter.reward(key, points);
        refused.inc({ by: `${by}_cost` });
        return tooLittleLeft(by, { cost, points }, limiter, outcome);
      }
      const endsAtMs = performance.now() + outcome.msBeforeNext;
      return {
        async giveBack(unused) {
          if (performance.now() < endsAtMs) await limiter.reward(key, unused).catch(() => {});
        },
      };
    },
  };
}

function tooLittleLeft(
  by: string,
  { cost, points }: { readonly cost: number; readonly points: number },
  { points: all }: RateLimiterAbstract,
  { consumedPoints, msBeforeNext }: { readonly consumedPoints: number; readonly msBeforeNext: number },
): GatewayError {
  const resetSeconds = Math.ceil(msBeforeNext / 1_000);
  const left = Math.max(0, all - (consumedPoints - points));
  return new GatewayError(
    'COST_BUDGET_EXCEEDED',
    `The operation costs ${cost}, and this ${by} has ${left} of ${all} left in this minute; try again in ${resetSeconds} s, or ask for less`,
    { details: { estimatedCost: cost, availableCost: left, retryAfterSeconds: resetSeconds } },
  );
}
