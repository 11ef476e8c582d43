import { openDatabase } from '../../platform/database.ts';
import { startSubgraph } from '../../platform/graphql/subgraph.ts';
import { consumeEvents } from '../../platform/kafka/consume-events.ts';
import type { Ports, ProcessContext } from '../../platform/process.ts';
import type { NotificationsConfig } from './config.ts';
import { createEventHandlers, orderEventsTopic } from './events.ts';
import { createLiveFeeds } from './live-feeds.ts';
import { createOperationContext, resolvers } from './resolvers.ts';
import { removeOldNotifications } from './retention.ts';
import { createNotificationStore } from './store.ts';

/** Starts the notifications subgraph: what customers are told, kept and live. */
export async function startNotifications(context: ProcessContext<NotificationsConfig>): Promise<Ports> {
  const { config, health, log, scope } = context;
  const { pool, isPooled } = scope.use('database', await openDatabase(config, health, log));
  const store = createNotificationStore(pool);
  const listenUrl = config.DATABASE_DIRECT_URL ?? (isPooled ? undefined : config.DATABASE_URL);
  if (listenUrl === undefined)
    log.info(
      'The database is polled for new notifications: set DATABASE_DIRECT_URL to listen past the pooler',
    );
  const feeds = scope.use('live feeds', createLiveFeeds({ store, listenUrl, log }));

  scope.use('retention', removeOldNotifications({ store, days: config.NOTIFICATION_RETENTION_DAYS, log }));

  consumeEvents(context, { topic: orderEventsTopic, handlers: createEventHandlers(feeds) });

  return startSubgraph({
    context,
    schemaUrl: new URL('./schema.graphql', import.meta.url),
    resolvers,
    operationContext: caller => createOperationContext({ store, feeds }, caller),
  });
}
