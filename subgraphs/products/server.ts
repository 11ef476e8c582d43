import { PrismaPg } from '@prisma/adapter-pg';
import { openDatabase } from '../../platform/database.ts';
import { startSubgraph } from '../../platform/graphql/subgraph.ts';
import type { Ports, ProcessContext } from '../../platform/process.ts';
import type { ProductsConfig } from './config.ts';
import { PrismaClient } from './generated/prisma/client.ts';
import { createOperationContext, resolvers } from './resolvers.ts';
import { createProductStore } from './store.ts';

/** Starts the products subgraph: the catalogue. */
export async function startProducts(context: ProcessContext<ProductsConfig>): Promise<Ports> {
  const { config, health, log, scope } = context;
  const { pool } = scope.use('database', await openDatabase(config, health, log));
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool) });
  const store = createProductStore(prisma);
  return startSubgraph({
    context,
    schemaUrl: new URL('./schema.graphql', import.meta.url),
    resolvers,
    operationContext: caller => createOperationContext(store, caller),
  });
}
