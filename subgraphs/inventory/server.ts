import { openDatabase } from '../../platform/database.ts';
import { startSubgraph } from '../../platform/graphql/subgraph.ts';
import { createKafka, createProducer } from '../../platform/kafka/client.ts';
import { consume } from '../../platform/kafka/consumer.ts';
import { deadLetterTopicOf } from '../../platform/kafka/dead-letters.ts';
import type { Ports, ProcessContext } from '../../platform/process.ts';
import { joinSystem } from '../../platform/system.ts';
import { createCatalogue } from './catalogue.ts';
import type { InventoryConfig } from './config.ts';
import { createEventHandlers, orderEventsTopic } from './events.ts';
import { createOperationContext, resolvers } from './resolvers.ts';
import { createStockStore } from './store.ts';

/** Starts the inventory subgraph: what is in stock, and what orders hold of it. */
export async function startInventory(context: ProcessContext<InventoryConfig>): Promise<Ports> {
  const { name, config, health, log, metrics, scope } = context;
  const { pool } = scope.use('database', await openDatabase(config, health, log));
  const store = createStockStore(pool);
  const system = joinSystem(context);
  const catalogue = createCatalogue(system.clientOf('products'));

  const kafka = createKafka(config, name, log);
  const deadLetters = scope.use(
    'dead-letter producer',
    createProducer({ kafka, topics: [orderEventsTopic, deadLetterTopicOf(orderEventsTopic)], config, log }),
  );
  scope.use(
    'order events',
    consume({
      kafka,
      config,
      groupId: name,
      topic: orderEventsTopic,
      handlers: createEventHandlers(store),
      deadLetters,
      log,
      metrics,
      health,
    }),
  );

  return startSubgraph({
    context,
    schemaUrl: new URL('./schema.graphql', import.meta.url),
    resolvers,
    operationContext: caller => createOperationContext({ store, catalogue }, caller),
  });
}
