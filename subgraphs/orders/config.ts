import * as z from 'zod';
import { durationMs, wholeNumber } from '../../platform/config.ts';
import { databaseSettings } from '../../platform/database.ts';
import { subgraphSettings } from '../../platform/graphql/subgraph.ts';
import { kafkaSettings, kafkaSettingsFit } from '../../platform/kafka/settings.ts';

/** Settings of the breaker that guards the calls to inventory. */
const inventoryBreakerSettings = z.object({
  INVENTORY_TIMEOUT_MS: durationMs(3_000).describe('Longest time of one call to inventory.'),
  INVENTORY_BREAKER_FAILURE_RATE_PERCENT: wholeNumber(50, { min: 1, max: 100 }).describe(
    'Share of failed calls that opens the breaker.',
  ),
  INVENTORY_BREAKER_SLOW_CALL_MS: durationMs(2_000).describe(
    'Time from which a call to inventory counts as slow, whatever comes of it.',
  ),
  INVENTORY_BREAKER_SLOW_CALL_RATE_PERCENT: wholeNumber(80, { min: 1, max: 100 }).describe(
    'Share of slow calls that opens the breaker.',
  ),
  INVENTORY_BREAKER_MINIMUM_CALLS: wholeNumber(5, { min: 1, max: 10_000 }).describe(
    'Fewest calls in the window before the shares count.',
  ),
  INVENTORY_BREAKER_WINDOW_MS: durationMs(10_000).describe('Length of the window.'),
  INVENTORY_BREAKER_OPEN_MS: durationMs(5_000).describe(
    'Time that the breaker stays open before one call, and no other, may try.',
  ),
});

/** Settings of the orders process. */
export const settings = subgraphSettings
  .extend({
    ...databaseSettings.shape,
    ...kafkaSettings.shape,
    ...inventoryBreakerSettings.shape,
    UNDECIDED_ORDER_TIMEOUT_MS: durationMs(30_000).describe(
      'Age at which an order that a crash has left undecided is given up, and its stock given back.',
    ),
  })
  .check(kafkaSettingsFit);
export type OrdersConfig = z.infer<typeof settings>;
