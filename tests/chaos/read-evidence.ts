import type { IHeaders, KafkaMessage } from 'kafkajs';
import pg from 'pg';
import { createGraphClient } from '../../dev/graph-client.ts';
import type { System } from '../../dev/system.ts';
import { deadLetterHeaders } from '../../platform/kafka/dead-letters.ts';
import type { DeadLetterEvidence, EventEvidence, Evidence } from './evidence.ts';
import {
  type Brokers,
  connectKafka,
  deadLetterTopic,
  endOf,
  eventTopic,
  readSince,
  type TopicEnd,
} from './topics.ts';

/** A system, as far as its evidence is concerned. */
export type ReadSystem = Pick<System, 'databaseUrls' | 'graphUrl' | 'keys'> & Brokers;

/** Where the evidence is. */
export interface EvidenceSources {
  readonly system: ReadSystem;
  /** Where the topics and the notifications ended before the first order: brokers may hold what earlier systems said. */
  readonly since: {
    readonly events: TopicEnd;
    readonly deadLetters: TopicEnd;
    readonly notificationIds: readonly string[];
  };
  /** Whose orders are looked for in the graph. */
  readonly customers: readonly string[];
}

/** Reads everything that is to be checked, from the databases, the topics and the graph themselves. */
export async function readEvidence({ system, since, customers }: EvidenceSources): Promise<Evidence> {
  const { databaseUrls } = system;
  const kafka = connectKafka(system);
  const [orders, outbox, stock, reservations, restocks, notifications] = await Promise.all([
    query<Evidence['orders'][number]>(databaseUrls.orders, ordersQuery),
    query<Evidence['outbox'][number]>(databaseUrls.orders, 'SELECT id, key AS "orderId" FROM outbox_events'),
    readStock(databaseUrls.inventory),
    query<Evidence['reservations'][number]>(databaseUrls.inventory, reservationsQuery),
    query<Evidence['restocks'][number]>(
      databaseUrls.inventory,
      'SELECT sku, quantity, idempotency_key AS key FROM restocks',
    ),
    query<Evidence['notifications'][number]>(
      databaseUrls.notifications,
      'SELECT order_id AS "orderId", customer_id AS customer, kind FROM notifications WHERE NOT id = ANY ($1::uuid[])',
      [since.notificationIds],
    ),
  ]);
  return {
    orders,
    outbox,
    stock,
    reservations,
    restocks,
    notifications,
    events: (await readSince(kafka, eventTopic, since.events)).map(eventOf),
    deadLetters: (await readSince(kafka, deadLetterTopic, since.deadLetters)).map(deadLetterOf),
    foundByCustomer: await findOrders(system, customers),
  };
}

const linesOf = (table: string, of: string) =>
  `(SELECT json_agg(json_build_object('sku', sku, 'quantity', quantity)) FROM ${table} WHERE ${table}.order_id = ${of})`;

const ordersQuery = `
  SELECT id, customer_id AS customer, idempotency_key AS key, status, placed_at IS NOT NULL AS placed,
    ${linesOf('order_lines', 'orders.id')} AS lines
  FROM orders`;

const reservationsQuery = `
  SELECT order_id AS "orderId", status, coalesce(${linesOf('reservation_lines', 'reservations.order_id')}, '[]') AS lines
  FROM reservations`;

/** Reads where everything ends that brokers may have kept of earlier systems. Call it at rest. */
export async function readEnds(system: ReadSystem): Promise<EvidenceSources['since']> {
  const kafka = connectKafka(system);
  const rows = await query<{ id: string }>(system.databaseUrls.notifications, 'SELECT id FROM notifications');
  return {
    events: await endOf(kafka, eventTopic),
    deadLetters: await endOf(kafka, deadLetterTopic),
    notificationIds: rows.map(({ id }) => id),
  };
}

/** Pieces available of each sku. */
export async function readStock(databaseUrl: string): Promise<Map<string, number>> {
  const rows = await query<{ sku: string; available: number }>(
    databaseUrl,
    'SELECT sku, available FROM stock',
  );
  return new Map(rows.map(({ sku, available }) => [sku, available]));
}

/** Runs a query on a connection of its own. */
export async function query<Row>(
  databaseUrl: string,
  sql: string,
  parameters: readonly unknown[] = [],
): Promise<Row[]> {
  const client = new pg.Client({ connectionString: databaseUrl });
  try {
    await client.connect();
    return (await client.query(sql, [...parameters])).rows as Row[];
  } finally {
    await client.end();
  }
}

function headerOf({ headers = {} }: { readonly headers?: IHeaders | undefined }, name: string): string {
  return headers[name]?.toString() ?? '';
}

function eventOf(message: KafkaMessage): EventEvidence {
  return {
    id: headerOf(message, 'ce_id'),
    type: headerOf(message, 'ce_type'),
    orderId: message.key?.toString() ?? '',
  };
}

function deadLetterOf(message: KafkaMessage): DeadLetterEvidence {
  return {
    eventId: headerOf(message, 'ce_id'),
    group: headerOf(message, deadLetterHeaders.group),
    reason: headerOf(message, deadLetterHeaders.reason),
    missingHeaders: Object.values(deadLetterHeaders).filter(name => headerOf(message, name) === ''),
  };
}

const ordersOfCaller = `query ($after: String) {
  orders(first: 100, after: $after) { edges { node { id } } pageInfo { hasNextPage endCursor } }
}`;

interface OrdersPage {
  readonly orders: {
    readonly edges: readonly { readonly node: { readonly id: string } }[];
    readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
  };
}

/** Asks the graph for the orders of each customer, as the customer would. */
async function findOrders(
  { graphUrl, keys }: Pick<System, 'graphUrl' | 'keys'>,
  customers: readonly string[],
): Promise<Map<string, Set<string>>> {
  const found = new Map<string, Set<string>>();
  for (const customer of customers) {
    const client = createGraphClient(graphUrl, await keys.mintToken(customer));
    const ids = new Set<string>();
    for (let after: string | null = null, more = true; more; ) {
      const { data, errors }: { data?: OrdersPage | null; errors?: unknown } =
        await client.request<OrdersPage>(ordersOfCaller, { after });
      if (!data)
        throw new Error(`The orders of ${customer} expected to be found, but got ${JSON.stringify(errors)}`);
      for (const { node } of data.orders.edges) ids.add(node.id);
      ({ hasNextPage: more, endCursor: after } = data.orders.pageInfo);
    }
    found.set(customer, ids);
  }
  return found;
}
