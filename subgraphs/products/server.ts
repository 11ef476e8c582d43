import { openDatabase } from '../../platform/database.ts';
import { startSubgraph } from '../../platform/graphql/subgraph.ts';
import type { Ports, ProcessContext } from '../../platform/process.ts';
import type { ProductsConfig } from './config.ts';
import { createOperationContext, resolvers } from './resolvers.ts';
import { createProductStore } from './store.ts';

/** Starts the products subgraph: the catalogue. */
export async function startProducts(context: ProcessContext<ProductsConfig>): Promise<Ports> {
  const { config, health, log, scope } = context;
  const { pool } = scope.use('database', await openDatabase(config, health, log));
  const store = createProductStore(pool);
  return startSubgraph({
    context,
    schemaUrl: new URL('./schema.graphql', import.meta.url),
    resolvers,
    operationContext: caller => createOperationContext(store, caller),
  });
}
