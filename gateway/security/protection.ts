import { NoSchemaIntrospectionCustomRule, type ValidationRule } from 'graphql';
import type { ProcessContext } from '../../platform/process.ts';
import { type GatewayConfig, isShown } from '../config.ts';
import { createCostBudget } from '../cost/budget.ts';
import { type Costs, createCosts } from '../cost/costs.ts';
import type { RunLimits } from '../execution/limits.ts';
import { deferRule } from '../incremental/rules.ts';
import { boundTime, type OperationTime } from '../operation-time.ts';
import { createLimiters } from './limiters.ts';
import { countRefused, limitOperations } from './operation-limits.ts';
import { openPersistedOperations, type PersistedOperations } from './persisted-operations.ts';
import { countRateLimited, createRateLimit, type RateLimit } from './rate-limit.ts';
import { openRedis } from './redis.ts';
import { rootTypesRule } from './root-types.ts';
import { limitRuns } from './run-limits.ts';
import { createSharedQueries } from './shared-queries.ts';

/** Everything that bounds and checks the operations of clients. */
export interface Protection {
  /** Undefined where each gateway keeps automatic persisted queries for itself. */
  readonly sharedQueries: ReturnType<typeof createSharedQueries> | undefined;
  /** Rules of validation beside those of the specification. */
  readonly validationRules: readonly ValidationRule[];
  readonly limits: RunLimits;
  readonly time: OperationTime;
  readonly costs: Costs;
  readonly rateLimit: RateLimit;
  /** Undefined without a manifest. */
  readonly persisted: PersistedOperations | undefined;
}

/** Creates the protection that the settings ask for. */
export async function createProtection(context: ProcessContext<GatewayConfig>): Promise<Protection> {
  const { config, metrics, log, scope, health } = context;
  const redis = config.REDIS_URL ? scope.use('Redis', openRedis(config.REDIS_URL, log)) : undefined;
  if (redis) health.add('redis', () => ({ status: redis.isReady ? 'UP' : 'UNKNOWN' }), { groups: [] });
  const createLimiter = createLimiters(redis?.client);
  const rateLimited = countRateLimited(metrics);
  const refused = countRefused(metrics);
  const budget = createCostBudget(config, createLimiter, rateLimited);
  return {
    sharedQueries: redis && createSharedQueries(redis.client),
    validationRules: [
      limitOperations(config, refused),
      rootTypesRule,
      deferRule,
      ...(isShown(config.INTROSPECTION, config) ? [] : [NoSchemaIntrospectionCustomRule]),
    ],
    limits: limitRuns(config, refused),
    time: boundTime(config.OPERATION_TIMEOUT_MS, refused),
    costs: createCosts({ config, budget, metrics }),
    rateLimit: createRateLimit(config, createLimiter, rateLimited),
    persisted: await openPersistedOperations({
      file: config.PERSISTED_OPERATIONS_FILE,
      mode: config.PERSISTED_OPERATIONS_MODE,
      metrics,
      log,
    }),
  };
}
