import { createHash } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import * as z from 'zod';
import type { Caller } from '../../platform/caller.ts';
import { PorticoError } from '../../platform/errors.ts';
import { parseInput, storableText } from '../../platform/graphql/input.ts';
import type { Catalogue } from './catalogue.ts';
import { givenUp, type Inventory, type ReserveOutcome } from './inventory.ts';
import type { OrderRow, PlacedOrder } from './order.ts';
import type { OrderStore } from './store.ts';

/** Store and services that placing an order needs. */
export interface OrderDependencies {
  readonly store: OrderStore;
  readonly catalogue: Catalogue;
  readonly inventory: Inventory;
}

/** Outcome of placing an order. */
export type PlaceOrderOutcome =
  | { readonly kind: 'placed'; readonly order: PlacedOrder }
  | Exclude<ReserveOutcome, { kind: 'reserved' }>;

const inputSchema = z.object({
  idempotencyKey: storableText.min(1).max(128),
  items: z
    .array(
      z.object({
        sku: storableText.min(1).max(64),
        quantity: z.number().int().min(1).max(1_000),
      }),
    )
    .min(1)
    .max(50)
    .refine(items => new Set(items.map(item => item.sku)).size === items.length, 'each sku may come once'),
});
type OrderInput = z.infer<typeof inputSchema>;

/** Largest total of one order, in the currency's minor unit: what a GraphQL Int carries. */
const maxTotalAmount = 2_147_483_647;

/**
 * Places an order: writes it undecided, reserves its stock, then decides it together with its event. The same key and
 * input give the same order, also when they come at the same time or after a crash in between.
 *
 * @throws PorticoError BAD_USER_INPUT, IDEMPOTENCY_KEY_REUSED, or SERVICE_UNAVAILABLE when prices can't be had
 */
export async function placeOrder(
  dependencies: OrderDependencies,
  customer: Caller,
  rawInput: unknown,
): Promise<PlaceOrderOutcome> {
  const input = parseInput(inputSchema, rawInput);
  const order = await findOrBegin(dependencies, customer.id, input);
  if (order.status === 'PLACED' || order.placedAt) return { kind: 'placed', order: order as PlacedOrder };

  const outcome = await reserve(dependencies, order);
  if (outcome.kind === 'reserved') {
    const placed = await dependencies.store.place(order);
    return placed ? { kind: 'placed', order: placed } : givenUp;
  }
  // Never only forgotten: a request under the same key, of now or before a crash, may have reserved for this order.
  const placed = await dependencies.store.giveUp(order.id);
  return placed ? { kind: 'placed', order: placed } : outcome;
}

/** Reserves the order's stock; an order that inventory refuses for another reason than its stock is given up. */
async function reserve(
  { inventory, store }: OrderDependencies,
  { id, lines }: OrderRow,
): Promise<ReserveOutcome> {
  try {
    return await inventory.reserve(id, lines);
  } catch (error) {
    await store.giveUp(id);
    throw error;
  }
}

async function findOrBegin(
  { store, catalogue }: OrderDependencies,
  customerId: string,
  input: OrderInput,
): Promise<OrderRow> {
  const { idempotencyKey } = input;
  const inputHash = hashOf(input);
  const known = await store.findByKey(customerId, idempotencyKey);
  if (known) return sameInput(known, inputHash);

  const priced = await priceItems(catalogue, input);
  const begun = await store.begin({ id: uuidv7(), customerId, idempotencyKey, inputHash, ...priced });
  if (begun) return begun;
  // Another request wrote first under this key: this one goes on with that order.
  const others = await store.findByKey(customerId, idempotencyKey);
  if (!others)
    throw new PorticoError(
      'SERVICE_UNAVAILABLE',
      'Another request under the same key was just given up; please try again',
    );
  return sameInput(others, inputHash);
}

function sameInput(order: OrderRow, inputHash: string): OrderRow {
  if (order.inputHash === inputHash) return order;
  throw new PorticoError(
    'IDEMPOTENCY_KEY_REUSED',
    `The idempotency key '${order.idempotencyKey}' was used for an order of other items; choose a new key for a new order`,
    { details: { field: 'idempotencyKey' } },
  );
}

/** The items in any sequence are the same order. */
function hashOf({ items }: OrderInput): string {
  const lines = items.map(({ sku, quantity }) => `${sku}=${quantity}`).sort();
  return createHash('sha256').update(lines.join('\n')).digest('hex');
}

async function priceItems(catalogue: Catalogue, { items }: OrderInput) {
  const prices = await catalogue.prices(items.map(item => item.sku));
  const lines = items.map(({ sku, quantity }, index) => {
    const price = prices[index];
    if (!price)
      throw new PorticoError('BAD_USER_INPUT', `items[${index}].sku is '${sku}', which no product has`, {
        details: { field: `items[${index}].sku`, sku },
      });
    return { sku, quantity, unitPriceAmount: price.amount, currency: price.currency };
  });
  const currencies = new Set(lines.map(line => line.currency));
  const [currency = 'EUR'] = currencies;
  if (currencies.size > 1)
    throw new PorticoError(
      'BAD_USER_INPUT',
      `The items have prices in ${[...currencies].join(' and ')}; an order has one currency`,
    );
  const totalAmount = lines.reduce((sum, line) => sum + line.quantity * line.unitPriceAmount, 0);
  if (totalAmount > maxTotalAmount)
    throw new PorticoError(
      'BAD_USER_INPUT',
      `The items cost ${totalAmount}; an order costs at most ${maxTotalAmount}`,
    );
  return {
    currency,
    totalAmount,
    lines: lines.map(({ sku, quantity, unitPriceAmount }) => ({ sku, quantity, unitPriceAmount })),
  };
}
