import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import type { GraphClient, GraphResult } from '../../dev/graph-client.ts';

/** Answer of `placeOrder`, as the tests ask for it. */
export interface PlaceOrderResult {
  readonly __typename: 'OrderPlaced' | 'OutOfStock' | 'InventoryUnavailable';
  readonly order?: {
    readonly id: string;
    readonly status: string;
    readonly total: { readonly amount: number };
  };
  readonly shortages?: readonly {
    readonly sku: string;
    readonly requested: number;
    readonly available: number;
  }[];
  readonly message?: string;
  readonly retryAfterSeconds?: number;
}

const placeOrderMutation = `mutation ($input: PlaceOrderInput!) {
  placeOrder(input: $input) {
    __typename
    ... on OrderPlaced { order { id status total { amount } } }
    ... on OutOfStock { shortages { sku requested available } }
    ... on InventoryUnavailable { message retryAfterSeconds }
  }
}`;

interface Line {
  readonly sku: string;
  readonly quantity: number;
}

/** Sends an order, by default under a key of its own. */
export function sendOrder(
  client: GraphClient,
  items: readonly Line[],
  idempotencyKey: string = randomUUID(),
) {
  return client.request<{ placeOrder: PlaceOrderResult }>(placeOrderMutation, {
    input: { items, idempotencyKey },
  });
}

/** Sends an order that is expected to be answered with data. */
export async function placeOrder(
  client: GraphClient,
  items: readonly Line[],
  idempotencyKey?: string,
): Promise<PlaceOrderResult> {
  return dataOf(await sendOrder(client, items, idempotencyKey)).placeOrder;
}

/** Places an order that is expected to succeed, and gives its id. */
export async function placedOrderId(client: GraphClient, items: readonly Line[]): Promise<string> {
  const result = await placeOrder(client, items);
  expect(result).toMatchObject({ __typename: 'OrderPlaced' });
  return result.order?.id ?? '';
}

/** Pieces of a product that are in stock. */
export async function availableOf(client: GraphClient, sku: string): Promise<number> {
  const { product } = dataOf(
    await client.request<{ product: { availableQuantity: number } }>(
      'query ($sku: ID!) { product(sku: $sku) { availableQuantity } }',
      { sku },
    ),
  );
  return product.availableQuantity;
}

/** The data of an answer that is expected to have no errors. */
export function dataOf<T>({ data, errors }: GraphResult<T>): T {
  expect(errors).toBeUndefined();
  if (data == null) throw new Error('The answer expected to have data, but has none');
  return data;
}

/** Where the caller's feed of notifications ends now. */
export async function feedCursorOf(client: GraphClient): Promise<string> {
  const { notifications } = dataOf(
    await client.request<{ notifications: { feedCursor: string } }>('{ notifications { feedCursor } }'),
  );
  return notifications.feedCursor;
}
