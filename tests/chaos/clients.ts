import { setTimeout as delay } from 'node:timers/promises';
import { createGraphClient, type GraphClient } from '../../dev/graph-client.ts';
import type { Ledger, Line, OrderRecord } from './ledger.ts';
import type { Random } from './random.ts';

/** Options of simulated clients. */
export interface ClientsOptions {
  readonly graphUrl: string;
  readonly mintToken: (customer: string, options?: { scopes?: readonly string[] }) => Promise<string>;
  readonly ledger: Ledger;
  readonly random: Random;
  /** Names of those who order at the same time. */
  readonly customers: readonly string[];
  /** Told to end. A client then finishes what it is at. */
  readonly signal: AbortSignal;
}

/** Longest time that a client waits for an answer, in ms. */
const patienceMs = 8_000;
/** Time between two things that a client does, in ms. */
const thinkMs = { min: 50, max: 400 };
/** Time until a client that got no answer asks again, in ms. */
const retryMs = { min: 100, max: 1_500 };
/** Most requests of a client for the same order before it gives up. */
const maxTries = 6;
/** More than there ever is of anything. */
const tooMany = 1_000;

/** Errors by which nothing was done; any other leaves open what was. */
const refusals = [
  'BAD_USER_INPUT',
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'NOT_FOUND',
  'CONFLICT',
  'IDEMPOTENCY_KEY_REUSED',
];

const placeOrder = `mutation ($input: PlaceOrderInput!) {
  placeOrder(input: $input) { __typename ... on OrderPlaced { order { id } } }
}`;
const cancelOrder = 'mutation ($id: ID!) { cancelOrder(id: $id) { status } }';
const restock = `mutation ($sku: ID!, $quantity: Int!, $idempotencyKey: String!) {
  restock(sku: $sku, quantity: $quantity, idempotencyKey: $idempotencyKey) { sku }
}`;

type Answer<T> = { readonly data: T } | { readonly refusedWith: string } | 'unknown';

/** Asks, and tells what is certain from the answer. */
async function ask<T>(
  client: GraphClient,
  query: string,
  variables: Record<string, unknown>,
): Promise<Answer<T>> {
  try {
    const { data, errors } = await client.request<T>(query, variables, AbortSignal.timeout(patienceMs));
    if (data && !errors) return { data };
    const code = String(errors?.[0]?.extensions?.['code']);
    return refusals.includes(code) ? { refusedWith: code } : 'unknown';
  } catch {
    return 'unknown';
  }
}

/** Runs all clients until they are told to end. */
export async function runClients(options: ClientsOptions): Promise<void> {
  const { graphUrl, mintToken, random, customers } = options;
  const shoppers = customers.map(async name => {
    const client = createGraphClient(graphUrl, await mintToken(name));
    await createShopper({ ...options, random: random.fork(name), name, client }).run();
  });
  const admin = createGraphClient(graphUrl, await mintToken('admin', { scopes: ['admin'] }));
  await Promise.all([...shoppers, restockUntilTheEnd({ ...options, random: random.fork('admin') }, admin)]);
}

interface ShopperOptions extends ClientsOptions {
  readonly name: string;
  readonly client: GraphClient;
}

/** A customer who orders and cancels, one thing after the other. */
function createShopper({ ledger, random, name, client, signal }: ShopperOptions) {
  const skus = [...ledger.initialStock.keys()];
  const mine: OrderRecord[] = [];

  function newOrder(): OrderRecord {
    const chosen = new Set(Array.from({ length: random.between(1, 3) }, () => random.pick(skus)));
    const lines = [...chosen].map(sku => ({ sku, quantity: random.between(1, 3) }));
    const [first, ...rest] = lines;
    const record: OrderRecord = {
      customer: name,
      key: `${name}-order-${mine.length + 1}`,
      lines: first && random.chance(0.05) ? [{ ...first, quantity: tooMany }, ...rest] : lines,
      placedIds: new Set(),
      refusals: [],
      unknown: 0,
      cancel: 'not asked',
      reusedForOther: false,
    };
    mine.push(record);
    ledger.orders.push(record);
    return record;
  }

  /** One request for the order. @returns whether the answer is certain */
  async function request(record: OrderRecord): Promise<boolean> {
    const answer = await ask<{ placeOrder: { __typename: string; order?: { id: string } } }>(
      client,
      placeOrder,
      {
        input: { idempotencyKey: record.key, items: record.lines },
      },
    );
    if (answer === 'unknown') record.unknown += 1;
    else if ('data' in answer && answer.data.placeOrder.order)
      record.placedIds.add(answer.data.placeOrder.order.id);
    else record.refusals.push('data' in answer ? answer.data.placeOrder.__typename : answer.refusedWith);
    return answer !== 'unknown';
  }

  async function place(): Promise<void> {
    const record = newOrder();
    // An impatient client sends the same order twice at once.
    const atOnce = random.chance(0.15) ? 2 : 1;
    for (let tries = 0; tries < maxTries && !signal.aborted; tries += 1) {
      const certain = await Promise.all(Array.from({ length: atOnce }, () => request(record)));
      if (certain.includes(true)) return;
      await pause(random, retryMs, signal);
    }
  }

  /** The same key again: the same order. */
  async function repeat(record: OrderRecord): Promise<void> {
    await request(record);
  }

  /** The same key for other items: refused. */
  async function reuseKey(record: OrderRecord): Promise<void> {
    const [sku = ''] = skus.filter(each => !record.lines.some(line => line.sku === each));
    const answer = await ask(client, placeOrder, {
      input: { idempotencyKey: record.key, items: [{ sku, quantity: 1 }] },
    });
    if (answer !== 'unknown' && 'data' in answer) record.reusedForOther = true;
  }

  async function cancel(record: OrderRecord): Promise<void> {
    const [id = ''] = record.placedIds;
    record.cancel = 'asked';
    for (let tries = 0; tries < maxTries && !signal.aborted; tries += 1) {
      const answer = await ask<{ cancelOrder: { status: string } }>(client, cancelOrder, { id });
      if (answer !== 'unknown' && 'data' in answer) {
        if (answer.data.cancelOrder.status === 'CANCELLED') record.cancel = 'cancelled';
        return;
      }
      await pause(random, retryMs, signal);
    }
  }

  return {
    async run(): Promise<void> {
      while (!signal.aborted) {
        const placed = mine.filter(record => record.placedIds.size > 0);
        const standing = placed.filter(record => record.cancel === 'not asked');
        if (standing.length > 0 && random.chance(0.3)) await cancel(random.pick(standing));
        else if (placed.length > 0 && random.chance(0.1)) await repeat(random.pick(placed));
        else if (placed.length > 0 && random.chance(0.05)) await reuseKey(random.pick(placed));
        else await place();
        await pause(random, thinkMs, signal);
      }
    },
  };
}

async function restockUntilTheEnd(
  { ledger, random, signal }: ClientsOptions,
  admin: GraphClient,
): Promise<void> {
  const skus = [...ledger.initialStock.keys()];
  while (!signal.aborted) {
    const line: Line = { sku: random.pick(skus), quantity: random.between(5, 40) };
    const record = { ...line, key: `restock-${ledger.restocks.length + 1}`, acknowledged: false };
    ledger.restocks.push(record);
    for (let tries = 0; tries < maxTries && !record.acknowledged && !signal.aborted; tries += 1) {
      const answer = await ask(admin, restock, { ...line, idempotencyKey: record.key });
      record.acknowledged = answer !== 'unknown' && 'data' in answer;
      if (!record.acknowledged) await pause(random, retryMs, signal);
    }
    await pause(random, thinkMs, signal);
  }
}

/** Waits for as long as a client would, or until the end. */
async function pause(
  random: Random,
  { min, max }: { min: number; max: number },
  signal: AbortSignal,
): Promise<void> {
  await delay(random.between(min, max), undefined, { signal }).catch(() => {});
}
