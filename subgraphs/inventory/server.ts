import { openDatabase } from '../../platform/database.ts';
import { startSubgraph } from '../../platform/graphql/subgraph.ts';
import { consumeEvents } from '../../platform/kafka/consume-events.ts';
import type { Ports, ProcessContext } from '../../platform/process.ts';
import { joinSystem } from '../../platform/system.ts';
import { createCatalogue } from './catalogue.ts';
import type { InventoryConfig } from './config.ts';
import { createEventHandlers, orderEventsTopic } from './events.ts';
import { createOperationContext, resolvers } from './resolvers.ts';
import { createStockStore } from './store.ts';

/** Starts the inventory subgraph: what is in stock, and what orders hold of it. */
export async function startInventory(context: ProcessContext<InventoryConfig>): Promise<Ports> {
  const { config, health, log, scope } = context;
  const { pool } = scope.use('database', await openDatabase(config, health, log));
  const store = createStockStore(pool);
  const system = joinSystem(context);
  const catalogue = createCatalogue(system.clientOf('products'));

  consumeEvents(context, { topic: orderEventsTopic, handlers: createEventHandlers(store) });

  return startSubgraph({
    context,
    schemaUrl: new URL('./schema.graphql', import.meta.url),
    resolvers,
    operationContext: caller => createOperationContext({ store, catalogue }, caller),
  });
}
