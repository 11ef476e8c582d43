import DataLoader from 'dataloader';
import * as z from 'zod';
import { type Caller, requireScope } from '../../platform/caller.ts';
import { PorticoError } from '../../platform/errors.ts';
import { readPage, toConnection } from '../../platform/graphql/connection.ts';
import { parseInput, storableText } from '../../platform/graphql/input.ts';
import type { SubgraphOperationContext } from '../../platform/graphql/operation-context.ts';
import type { Resolvers } from './generated/graphql.ts';
import type { ProductRow, ProductStore } from './store.ts';

/** Context that the resolvers of one operation share. */
export interface OperationContext extends SubgraphOperationContext {
  readonly store: ProductStore;
  readonly productBySku: DataLoader<string, ProductRow | null>;
}

/** Makes the context of one operation. */
export function createOperationContext(store: ProductStore, caller: Caller | undefined): OperationContext {
  return { caller, store, productBySku: new DataLoader(skus => store.findMany(skus)) };
}

const skuPattern = /^[A-Z0-9][A-Z0-9-]{0,63}$/;
const sku = z.string().regex(skuPattern, 'expected 1 to 64 capital letters, digits and dashes');
const skuArgument = z.object({ sku });
const price = z.object({
  amount: z.number().int().min(0).max(1_000_000_000),
  currency: z.string().regex(/^[A-Z]{3}$/, 'expected three capital letters, as in ISO 4217'),
});
const name = storableText.trim().min(1).max(200);
const description = storableText.max(5_000);
const newProduct = z.object({ sku, name, description, price });
const productChange = z.object({
  name: name.nullish(),
  description: description.nullish(),
  price: price.nullish(),
});
const searchArgument = z.object({ search: storableText.max(200).nullish() });

/** Resolvers of the catalogue. */
export const resolvers: Resolvers<OperationContext> = {
  Query: {
    product: (_root, args, { productBySku }) => productBySku.load(parseInput(skuArgument, args).sku),
    async products(_root, args, { store }) {
      const page = readPage('products', args, skuPattern);
      const { search } = parseInput(searchArgument, args);
      const rows = await store.page(page, search ?? undefined);
      return toConnection('products', rows, page, row => row.sku);
    },
  },
  Mutation: {
    async createProduct(_root, { input }, { caller, store }) {
      requireScope(caller, 'admin');
      const { price, ...product } = parseInput(newProduct, input);
      const row = await store.create({
        ...product,
        priceAmount: price.amount,
        priceCurrency: price.currency,
      });
      if (!row) throw new PorticoError('CONFLICT', `There is already a product with the sku '${input.sku}'`);
      return row;
    },
    async updateProduct(_root, args, { caller, store }) {
      requireScope(caller, 'admin');
      const { name, description, price } = parseInput(productChange, args.input);
      const { sku } = parseInput(skuArgument, args);
      const row = await store.update(sku, {
        name: name ?? undefined,
        description: description ?? undefined,
        priceAmount: price?.amount,
        priceCurrency: price?.currency,
      });
      if (!row) throw new PorticoError('NOT_FOUND', `There is no product with the sku '${sku}'`);
      return row;
    },
  },
  Product: {
    __resolveReference: (reference, { productBySku }) =>
      skuPattern.test(reference.sku) ? productBySku.load(reference.sku) : null,
    price: row => ({ amount: row.priceAmount, currency: row.priceCurrency }),
  },
};
