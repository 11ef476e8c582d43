import DataLoader from 'dataloader';
import { DateTimeResolver } from 'graphql-scalars';
import * as z from 'zod';
import { type Caller, requireCustomer } from '../../platform/caller.ts';
import { PorticoError } from '../../platform/errors.ts';
import { readPage, toConnection } from '../../platform/graphql/connection.ts';
import type { SubgraphOperationContext } from '../../platform/graphql/operation-context.ts';
import type { Resolvers } from './generated/graphql.ts';
import type { PlacedOrder } from './order.ts';
import { type OrderDependencies, placeOrder } from './place-order.ts';

/** A line of an order, with the currency that the order has. */
export type OrderItemParent = PlacedOrder['lines'][number] & { readonly currency: string };

/** Context that the resolvers of one operation share. */
export interface OperationContext extends SubgraphOperationContext {
  readonly dependencies: OrderDependencies;
  /** The caller's orders; nobody else's are found. */
  readonly orderById: DataLoader<string, PlacedOrder | null>;
}

/** Makes the context of one operation. */
export function createOperationContext(
  dependencies: OrderDependencies,
  caller: Caller | undefined,
): OperationContext {
  const orderById = new DataLoader<string, PlacedOrder | null>(async ids => {
    if (caller?.kind !== 'customer') return ids.map(() => null);
    return dependencies.store.findMany(caller.id, ids);
  });
  return { caller, dependencies, orderById };
}

const uuidPattern = z.regexes.uuid();
const isUuid = (id: string) => uuidPattern.test(id);

/** Resolvers of the orders. */
export const resolvers: Resolvers<OperationContext> = {
  DateTime: DateTimeResolver,
  Query: {
    order(_root, { id }, { caller, orderById }) {
      requireCustomer(caller);
      return isUuid(id) ? orderById.load(id) : null;
    },
    async orders(_root, args, { caller, dependencies }) {
      const customer = requireCustomer(caller);
      const page = readPage('orders', args, uuidPattern);
      const rows = await dependencies.store.page(customer.id, { ...page, status: args.status ?? undefined });
      return toConnection('orders', rows, page, row => row.id);
    },
  },
  Mutation: {
    async placeOrder(_root, { input }, { caller, dependencies }) {
      const outcome = await placeOrder(dependencies, requireCustomer(caller), input);
      switch (outcome.kind) {
        case 'placed':
          return { __typename: 'OrderPlaced', order: outcome.order };
        case 'shortage':
          return { __typename: 'OutOfStock', shortages: outcome.shortages };
        case 'unavailable':
          return {
            __typename: 'InventoryUnavailable',
            message: outcome.message,
            retryAfterSeconds: outcome.retryAfterSeconds,
          };
      }
    },
    async cancelOrder(_root, { id }, { caller, dependencies }) {
      const customer = requireCustomer(caller);
      const order = isUuid(id) ? await dependencies.store.cancel(customer.id, id) : undefined;
      if (!order) throw new PorticoError('NOT_FOUND', `You have no order with the id '${id.slice(0, 80)}'`);
      return order;
    },
  },
  Order: {
    __resolveReference: ({ id }, { orderById }) => (isUuid(id) ? orderById.load(id) : null),
    total: order => ({ amount: order.totalAmount, currency: order.currency }),
    items: order => order.lines.map(line => ({ ...line, currency: order.currency })),
  },
  OrderItem: {
    product: line => ({ sku: line.sku }),
    unitPrice: line => ({ amount: line.unitPriceAmount, currency: line.currency }),
  },
};
