import { randomUUID } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { request } from 'undici';
import { createGraphClient, type GraphClient } from '../../dev/graph-client.ts';
import { logToFiles } from '../../dev/logs.ts';
import { loadSystemSettings } from '../../dev/settings.ts';
import { type System, startSystem } from '../../dev/system.ts';
import { assortment } from '../../prisma/assortment.ts';
import { loadWhile } from '../../tests/helpers/load.ts';
import { percentile } from '../figures.ts';
import { cpuMsBelow } from '../proc.ts';
import type { Figures } from './measures.ts';

const customers = 10;
/** Until V8 has compiled what an order needs, it costs several times as much. */
const warmUpMs = 60_000;
const measuredMs = 30_000;
const lastDeliveriesMs = 10_000;
const enough = 1_000_000;

const restock = `mutation ($sku: ID!, $quantity: Int!) { restock(sku: $sku, quantity: $quantity) { sku } }`;
const feedEnd = '{ notifications(first: 1) { feedCursor } }';
const notified =
  'subscription ($after: String!) { notificationReceived(after: $after) { order { id placedAt } } }';
const placeOrder = `mutation ($input: PlaceOrderInput!) {
  placeOrder(input: $input) { __typename ... on OrderPlaced { order { id } } }
}`;

interface Notified {
  readonly notificationReceived: {
    readonly order: { readonly id: string; readonly placedAt: string } | null;
  };
}

/** A customer, who orders and listens. */
interface Customer {
  readonly client: GraphClient;
  /** Places an order, with as little work of the customer's as can be. @returns what came instead */
  readonly order: (sku: string) => Promise<unknown>;
  /** Time from the commit of each order to its delivery since it was last forgotten, in ms. */
  latenciesMs: number[];
  /** Results without an order. */
  failures: unknown[];
}

/**
 * Time from the commit of an order to its delivery at its customer, over graphql-ws at the gateway, with the whole
 * system on this machine and orders at a rate. An order bears the time at which its transaction was about to be
 * committed, in whole ms.
 */
export async function measureOrders(ordersPerSecond: number): Promise<Figures> {
  const dataDir = await mkdtemp(join(tmpdir(), 'portico-bench-'));
  // PostgreSQL does not run as root, and must be able to pass through the folder.
  await chmod(dataDir, 0o755);
  const system = await startSystem({ settings: settingsIn(dataDir), onLine: logToFiles(dataDir) });
  const people: Customer[] = [];
  try {
    await fillStock(system);
    for (let count = 0; count < customers; count++) people.push(await becomeCustomer(system, count));
    const warmUp = await orderFor({ ms: warmUpMs, ordersPerSecond }, people);
    await untilDelivered(people, warmUp.sent - warmUp.failures.length);
    for (const person of people) Object.assign(person, { latenciesMs: [], failures: [] });
    const cpuMsBefore = await cpuMsBelow();
    const { sent, ratePerSecond, failures, p50Ms, p99Ms } = await orderFor(
      { ms: measuredMs, ordersPerSecond },
      people,
    );
    await untilDelivered(people, sent - failures.length);
    const cpuMs = (await cpuMsBelow()) - cpuMsBefore;
    const latenciesMs = people.flatMap(person => person.latenciesMs);
    report(`of ${sent} orders that were not placed`, failures);
    report(
      'results without an order',
      people.flatMap(person => person.failures),
    );
    return {
      'orders placed a second': (ratePerSecond * (sent - failures.length)) / sent,
      'orders without a delivery': sent - failures.length - latenciesMs.length,
      'commit to delivery, p50, ms': percentile(latenciesMs, 0.5),
      'commit to delivery, p99, ms': percentile(latenciesMs, 0.99),
      'answer to the order, p50, ms': p50Ms,
      'answer to the order, p99, ms': p99Ms,
      'CPU of all processes but the customers, an order, ms': cpuMs / sent,
    };
  } finally {
    await Promise.all(people.map(({ client }) => client.close()));
    await system.close();
    await rm(dataDir, { recursive: true, force: true });
  }
}

/** Waits for the results of that many orders, or until no more can be expected. */
async function untilDelivered(people: readonly Customer[], orders: number): Promise<void> {
  const results = () => people.flatMap(({ latenciesMs, failures }) => [...latenciesMs, ...failures]).length;
  const deadlineMs = performance.now() + lastDeliveriesMs;
  while (results() < orders && performance.now() < deadlineMs) await delay(50);
}

function report(what: string, failures: readonly unknown[]): void {
  if (failures.length > 0) console.log(`${failures.length} ${what}, such as`, JSON.stringify(failures[0]));
}

function settingsIn(dataDir: string) {
  const free = ['GATEWAY', 'DISCOVERY', 'POSTGRES', 'KAFKA', 'SUBGRAPH_BASE', 'MANAGEMENT_BASE'];
  return loadSystemSettings({
    ...Object.fromEntries(free.map(name => [`${name}_PORT`, '0'])),
    PORTICO_DATA_DIR: dataDir,
  });
}

async function fillStock({ graphUrl, keys }: System): Promise<void> {
  const admin = createGraphClient(graphUrl, await keys.mintToken('admin', { scopes: ['admin'] }));
  for (const { sku } of assortment) await answerOf(admin.request(restock, { sku, quantity: enough }));
}

async function becomeCustomer({ graphUrl, keys }: System, index: number): Promise<Customer> {
  const token = await keys.mintToken(`customer-${index}`);
  const client = createGraphClient(graphUrl, token);
  const { notifications } = await answerOf<{ notifications: { feedCursor: string } }>(
    client.request(feedEnd),
  );
  const customer: Customer = { client, order: ordering(graphUrl, token), latenciesMs: [], failures: [] };
  const listen = async () => {
    for await (const { data, errors } of client.subscribe<Notified>(notified, {
      after: notifications.feedCursor,
    })) {
      const order = data?.notificationReceived.order;
      if (order) customer.latenciesMs.push(Date.now() - Date.parse(order.placedAt));
      else customer.failures.push(errors);
    }
  };
  void listen();
  return customer;
}

function ordering(graphUrl: string, token: string): Customer['order'] {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
  return async sku => {
    const input = { items: [{ sku, quantity: 1 }], idempotencyKey: randomUUID() };
    const body = JSON.stringify({ query: placeOrder, variables: { input } });
    const response = await request(graphUrl, { method: 'POST', headers, body });
    const text = await response.body.text();
    return text.includes('"OrderPlaced"') ? undefined : text;
  };
}

/** Places orders for some time, each customer in turn. */
function orderFor(
  { ms, ordersPerSecond }: { readonly ms: number; readonly ordersPerSecond: number },
  people: readonly Customer[],
) {
  let count = 0;
  const send = async () => {
    count += 1;
    const { sku = '' } = assortment[count % assortment.length] ?? {};
    return people[count % people.length]?.order(sku);
  };
  return loadWhile({ ratePerSecond: ordersPerSecond, send }, () => delay(ms));
}

async function answerOf<T>(answer: ReturnType<GraphClient['request']>): Promise<T> {
  const { data, errors } = await answer;
  if (errors || !data) throw new Error(`The system expected to answer, but got ${JSON.stringify(errors)}`);
  return data as T;
}
