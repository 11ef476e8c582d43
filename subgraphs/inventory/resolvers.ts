import DataLoader from 'dataloader';
import * as z from 'zod';
import { type Caller, requireScope, requireService } from '../../platform/caller.ts';
import { PorticoError } from '../../platform/errors.ts';
import { parseInput, storableText } from '../../platform/graphql/input.ts';
import type { SubgraphOperationContext } from '../../platform/graphql/operation-context.ts';
import type { Catalogue } from './catalogue.ts';
import type { Resolvers } from './generated/graphql.ts';
import type { StockStore } from './store.ts';

/** A product as inventory knows it: by its sku. */
export interface ProductParent {
  readonly sku: string;
}

/** Context that the resolvers of one operation share. */
export interface OperationContext extends SubgraphOperationContext {
  readonly store: StockStore;
  readonly catalogue: Catalogue;
  readonly availableBySku: DataLoader<string, number | null>;
}

/** Makes the context of one operation. */
export function createOperationContext(
  { store, catalogue }: Pick<OperationContext, 'store' | 'catalogue'>,
  caller: Caller | undefined,
): OperationContext {
  return { caller, store, catalogue, availableBySku: new DataLoader(skus => store.findMany(skus)) };
}

const sku = storableText.min(1).max(64);
const quantity = z.number().int().min(1).max(1_000_000);
const restockInput = z.object({ sku, quantity, idempotencyKey: storableText.min(1).max(128).nullish() });
const orderId = z.uuid();
const reserveInput = z.object({
  orderId,
  lines: z
    .array(z.object({ sku, quantity }))
    .min(1)
    .max(100)
    .refine(lines => new Set(lines.map(line => line.sku)).size === lines.length, 'each sku may come once'),
});

/** Resolvers of the stock. */
export const resolvers: Resolvers<OperationContext> = {
  Mutation: {
    async restock(_root, args, { caller, store, catalogue }) {
      const admin = requireScope(caller, 'admin');
      const { sku, quantity, idempotencyKey = null } = parseInput(restockInput, args);
      const [known] = await store.findMany([sku]);
      if (known === null && !(await catalogue.has(sku)))
        throw new PorticoError('BAD_USER_INPUT', `There is no product with the sku '${sku}'`, {
          details: { field: 'sku' },
        });
      await store.restock({ sku, quantity, requestedBy: admin.id, idempotencyKey });
      return { sku };
    },
    async reserve(_root, args, { caller, store }) {
      requireService(caller);
      const { orderId, lines } = parseInput(reserveInput, args);
      const outcome = await store.reserve(orderId, lines);
      switch (outcome.kind) {
        case 'reserved':
          return { reserved: true, shortages: [] };
        case 'shortage':
          return { reserved: false, shortages: outcome.shortages };
        case 'released':
          throw new PorticoError('CONFLICT', `Order ${orderId} was given up; it can't reserve any more`);
      }
    },
    async release(_root, args, { caller, store }) {
      requireService(caller);
      await store.release(parseInput(z.object({ orderId }), args).orderId);
      return true;
    },
  },
  Product: {
    __resolveReference: reference => (sku.safeParse(reference.sku).success ? { sku: reference.sku } : null),
    availableQuantity: async ({ sku }, _args, { availableBySku }) => (await availableBySku.load(sku)) ?? 0,
    inStock: async ({ sku }, _args, { availableBySku }) => ((await availableBySku.load(sku)) ?? 0) > 0,
  },
};
