import { randomUUID } from 'node:crypto';
import { styleText } from 'node:util';
import { openDevKeys } from '../cli/keys.ts';
import { build } from './build.ts';
import { createGraphClient, type GraphClient, type GraphResult } from './graph-client.ts';
import { graphUrlOf, loadSystemSettings } from './settings.ts';
import { stopRequests } from './stop.ts';
import { startSystem } from './system.ts';

/** Orders that the demonstration places. */
const carts = [
  [{ sku: 'MUG-BLACK', quantity: 1 }],
  [
    { sku: 'MUG-BLACK', quantity: 2 },
    { sku: 'TOTE-CANVAS', quantity: 1 },
  ],
  [{ sku: 'TOTE-CANVAS', quantity: 1 }],
];
/** Longest wait for the notifications, in ms. */
const patienceMs = 15_000;

const feedCursorQuery = '{ notifications(first: 1) { feedCursor } }';
const placeOrderMutation = `mutation PlaceOrder($input: PlaceOrderInput!) {
  placeOrder(input: $input) {
    __typename
    ... on OrderPlaced { order { id total { amount currency } } }
    ... on OutOfStock { shortages { sku requested available } }
    ... on InventoryUnavailable { message }
  }
}`;
const notificationSubscription = `subscription Notifications($after: String!) {
  notificationReceived(after: $after) {
    message
    order { id placedAt items { quantity product { name inStock } } }
  }
}`;

interface Notification {
  readonly message: string;
  readonly order: {
    readonly id: string;
    readonly placedAt: string;
    readonly items: readonly { readonly quantity: number; readonly product: { readonly name: string } }[];
  };
}

function dataOf<T>({ data, errors }: GraphResult<T>): T {
  if (errors || !data) throw new Error(errors?.map(({ message }) => message).join('; ') ?? 'no data');
  return data;
}

async function placeOrder(client: GraphClient, items: (typeof carts)[number]): Promise<string> {
  const { placeOrder: result } = dataOf(
    await client.request<{ placeOrder: { __typename: string; order?: { id: string } } }>(placeOrderMutation, {
      input: { items, idempotencyKey: randomUUID() },
    }),
  );
  if (!result.order) throw new Error(`The order was not placed: ${JSON.stringify(result)}`);
  return result.order.id;
}

/** Opens the subscription, places the orders, and resolves when the notification of each has arrived. */
async function placeAndWatch(client: GraphClient): Promise<void> {
  const { feedCursor } = dataOf(
    await client.request<{ notifications: { feedCursor: string } }>(feedCursorQuery),
  ).notifications;
  const notifications = client.subscribe<{ notificationReceived: Notification }>(notificationSubscription, {
    after: feedCursor,
  });
  const placed: string[] = [];
  const notified = new Set<string>();

  await new Promise<void>((resolve, reject) => {
    const check = () => {
      if (placed.length === carts.length && placed.every(id => notified.has(id))) resolve();
    };
    const watch = async () => {
      for await (const result of notifications) {
        const { message, order } = dataOf(result).notificationReceived;
        showNotification(message, order);
        notified.add(order.id);
        check();
      }
    };
    const place = async () => {
      for (const cart of carts) {
        const id = await placeOrder(client, cart);
        console.log(`  → order ${id} is placed`);
        placed.push(id);
        check();
      }
    };
    watch().catch(reject);
    place().catch(reject);
  });
}

function showNotification(message: string, { placedAt, items }: Notification['order']): void {
  const latencyMs = Date.now() - Date.parse(placedAt);
  const names = items.map(({ quantity, product }) => `${quantity} × ${product.name}`).join(', ');
  console.log(`  ${styleText('green', '✔')} ${message} (${names}), ${latencyMs} ms after the commit`);
}

async function demonstrate(graphUrl: string, token: string, stop: AbortSignal): Promise<void> {
  stop.throwIfAborted();
  const client = createGraphClient(graphUrl, token);
  let timer: NodeJS.Timeout | undefined;
  const givenUp = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new Error(`Not all notifications arrived within ${patienceMs} ms`)),
      patienceMs,
    );
    stop.addEventListener('abort', () => reject(stop.reason as Error), { once: true });
  });
  try {
    await Promise.race([placeAndWatch(client), givenUp]);
  } finally {
    clearTimeout(timer);
    await client.close();
  }
}

async function isRunning(graphUrl: string): Promise<boolean> {
  const answer = await createGraphClient(graphUrl)
    .request('{ __typename }')
    .catch(() => undefined);
  return answer?.data != null;
}

async function main(): Promise<void> {
  const stop = stopRequests();
  const settings = loadSystemSettings(process.env);
  const customer = 'demo-customer';
  const graphUrl = graphUrlOf(settings, settings.GATEWAY_PORT);
  if (await isRunning(graphUrl)) {
    console.log(`Using the system that runs at ${graphUrl}`);
    const keys = await openDevKeys(settings.PORTICO_DATA_DIR);
    await demonstrate(graphUrl, await keys.mintToken(customer), stop);
    return;
  }
  console.log('Starting a system …');
  await build();
  const system = await startSystem({ settings, signal: stop });
  try {
    console.log(`It runs at ${system.graphUrl}`);
    await demonstrate(system.graphUrl, await system.keys.mintToken(customer), stop);
  } finally {
    await system.close();
  }
}

try {
  await main();
  console.log('All three notifications arrived.');
  process.exit(0);
} catch (error) {
  console.error(styleText('red', (error as Error).message));
  process.exit(1);
}
