import type * as z from 'zod';
import { databaseSettings } from '../../platform/database.ts';
import { subgraphSettings } from '../../platform/graphql/subgraph.ts';
import { kafkaSettings, kafkaSettingsFit } from '../../platform/kafka/settings.ts';

/** Settings of the inventory process. */
export const settings = subgraphSettings
  .extend({
    ...databaseSettings.shape,
    ...kafkaSettings.shape,
  })
  .check(kafkaSettingsFit);
export type InventoryConfig = z.infer<typeof settings>;
