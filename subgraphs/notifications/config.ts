import type * as z from 'zod';
import { urlSetting, wholeNumber } from '../../platform/config.ts';
import { databaseSettings } from '../../platform/database.ts';
import { subgraphSettings } from '../../platform/graphql/subgraph.ts';
import { kafkaSettings, kafkaSettingsFit } from '../../platform/kafka/settings.ts';

/** Settings of the notifications process. */
export const settings = subgraphSettings
  .extend({
    ...databaseSettings.shape,
    ...kafkaSettings.shape,
    DATABASE_DIRECT_URL: urlSetting('postgresql:', 'postgres:')
      .optional()
      .describe(
        'The same database past a pooler, to listen to for new notifications; behind one they are polled for otherwise.',
      ),
    NOTIFICATION_RETENTION_DAYS: wholeNumber(90, { min: 1, max: 36_500 }).describe(
      'Age in days at which notifications are removed; longer than the broker keeps their events.',
    ),
  })
  .check(kafkaSettingsFit);
export type NotificationsConfig = z.infer<typeof settings>;
