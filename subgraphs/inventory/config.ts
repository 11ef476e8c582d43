import type * as z from 'zod';
import { databaseSettings } from '../../platform/database.ts';
import { subgraphSettings } from '../../platform/graphql/subgraph.ts';
import { kafkaSettings } from '../../platform/kafka/client.ts';

/** Settings of the inventory process. */
export const inventorySettings = subgraphSettings.extend({
  ...databaseSettings.shape,
  ...kafkaSettings.shape,
});
export type InventoryConfig = z.infer<typeof inventorySettings>;
