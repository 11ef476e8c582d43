import { openDatabase } from '../../platform/database.ts';
import { startSubgraph } from '../../platform/graphql/subgraph.ts';
import { publishEvents } from '../../platform/kafka/publish-events.ts';
import type { Ports, ProcessContext } from '../../platform/process.ts';
import { joinSystem } from '../../platform/system.ts';
import { createCatalogue } from './catalogue.ts';
import type { OrdersConfig } from './config.ts';
import { orderEventsTopic } from './events.ts';
import { createInventory } from './inventory.ts';
import { createOperationContext, resolvers } from './resolvers.ts';
import { createOrderStore } from './store.ts';
import { giveUpUndecidedOrders } from './undecided-orders.ts';

/** Starts the orders subgraph: placing and cancelling orders, and telling of it over Kafka. */
export async function startOrders(context: ProcessContext<OrdersConfig>): Promise<Ports> {
  const { config, health, log, scope } = context;
  const { pool } = scope.use('database', await openDatabase(config, health, log));
  const relay = publishEvents(context, { pool, topics: [orderEventsTopic] });

  const store = createOrderStore({ pool, onChange: relay.wake });
  const system = joinSystem(context);
  const dependencies = {
    store,
    catalogue: createCatalogue(system.clientOf('products')),
    inventory: createInventory(system.clientOf('inventory', inventoryBreaker(config))),
  };
  scope.use(
    'undecided orders',
    giveUpUndecidedOrders({ store, timeoutMs: config.UNDECIDED_ORDER_TIMEOUT_MS, log }),
  );

  return startSubgraph({
    context,
    schemaUrl: new URL('./schema.graphql', import.meta.url),
    resolvers,
    operationContext: caller => createOperationContext(dependencies, caller),
  });
}

function inventoryBreaker(config: OrdersConfig) {
  return {
    timeoutMs: config.INVENTORY_TIMEOUT_MS,
    failureRatePercent: config.INVENTORY_BREAKER_FAILURE_RATE_PERCENT,
    slowCallMs: config.INVENTORY_BREAKER_SLOW_CALL_MS,
    slowCallRatePercent: config.INVENTORY_BREAKER_SLOW_CALL_RATE_PERCENT,
    minimumCalls: config.INVENTORY_BREAKER_MINIMUM_CALLS,
    windowMs: config.INVENTORY_BREAKER_WINDOW_MS,
    openMs: config.INVENTORY_BREAKER_OPEN_MS,
  };
}
