import type { Evidence, OrderEvidence } from './evidence.ts';
import type { Ledger, Line, OrderRecord } from './ledger.ts';

/** Something that must never be, with what it happened to. */
export interface Violation {
  /** Which of the guarantees of docs/guarantees.md is broken. */
  readonly guarantee: 'stock' | 'orders' | 'events' | 'messages';
  /** The order's id, the sku, the key or the message. */
  readonly subject: string;
  readonly what: string;
}

/** Consumer groups that read the events of orders. */
export const consumerGroups = ['inventory', 'notifications'] as const;

/** Compares what the clients were told with what is there at rest. */
export function findViolations(ledger: Ledger, evidence: Evidence): Violation[] {
  return [
    ...checkStock(ledger, evidence),
    ...checkReservations(evidence),
    ...checkRestocks(ledger, evidence),
    ...checkPromises(ledger, evidence),
    ...checkDecided(evidence),
    ...checkNotifications(evidence),
    ...checkEvents(ledger, evidence),
    ...checkDeadLetters(ledger, evidence),
  ];
}

/** Initial stock and restocks are what is available and what placed, uncancelled orders hold. */
function* checkStock({ initialStock }: Ledger, { stock, restocks, orders }: Evidence): Generator<Violation> {
  const came = new Map(initialStock);
  for (const line of restocks) add(came, line);
  const held = new Map<string, number>();
  for (const { status, lines } of orders) if (status === 'PLACED') for (const line of lines) add(held, line);
  for (const sku of new Set([...came.keys(), ...stock.keys(), ...held.keys()])) {
    const expected = (came.get(sku) ?? 0) - (held.get(sku) ?? 0);
    const available = stock.get(sku) ?? 0;
    if (available < 0) yield { guarantee: 'stock', subject: sku, what: `${available} pieces are available` };
    if (available !== expected)
      yield {
        guarantee: 'stock',
        subject: sku,
        what: `expected ${expected} pieces available (${came.get(sku) ?? 0} came, orders hold ${held.get(sku) ?? 0}), but got ${available}`,
      };
  }
}

/** Each placed order holds its lines, and no other order holds anything. */
function* checkReservations({ orders, reservations }: Evidence): Generator<Violation> {
  const orderById = new Map(orders.map(order => [order.id, order]));
  const reserved = new Map(
    reservations.filter(({ status }) => status === 'RESERVED').map(each => [each.orderId, each]),
  );
  for (const { orderId, lines } of reserved.values()) {
    const order = orderById.get(orderId);
    if (order?.status !== 'PLACED')
      yield {
        guarantee: 'stock',
        subject: orderId,
        what: `holds ${textOf(lines)}, but the order ${order ? `is ${order.status}` : 'does not exist'}`,
      };
    else if (textOf(lines) !== textOf(order.lines))
      yield {
        guarantee: 'stock',
        subject: orderId,
        what: `expected to hold ${textOf(order.lines)}, but holds ${textOf(lines)}`,
      };
  }
  for (const { id, status, lines } of orders)
    if (status === 'PLACED' && !reserved.has(id))
      yield { guarantee: 'stock', subject: id, what: `is placed, but ${textOf(lines)} are not held for it` };
}

/** What an admin was told was added was added, once. */
function* checkRestocks(ledger: Ledger, { restocks }: Evidence): Generator<Violation> {
  const timesByKey = countBy(restocks, ({ key }) => key ?? '');
  for (const { key, acknowledged } of ledger.restocks) {
    const times = timesByKey.get(key) ?? 0;
    if (times > 1 || (acknowledged && times === 0))
      yield {
        guarantee: 'stock',
        subject: key,
        what: `expected the restocking once, but got it ${times} times`,
      };
  }
}

/** What clients were told holds. */
function* checkPromises(ledger: Ledger, { orders, foundByCustomer }: Evidence): Generator<Violation> {
  const orderById = new Map(orders.map(order => [order.id, order]));
  const placedByKey = new Map<string, OrderEvidence>();
  for (const order of orders)
    if (order.placed && order.key !== null) placedByKey.set(`${order.customer} ${order.key}`, order);
  for (const record of ledger.orders) {
    const broken = (subject: string, what: string): Violation => ({ guarantee: 'orders', subject, what });
    const { customer, key, placedIds } = record;
    if (placedIds.size > 1)
      yield broken(key, `stands for ${placedIds.size} orders of ${customer}: ${[...placedIds].join(', ')}`);
    if (record.reusedForOther)
      yield broken(key, `${customer} got an order of other items under the same key`);
    for (const id of placedIds) {
      const order = orderById.get(id);
      const fault = order
        ? faultOf(record, order)
        : 'the client was told that it is placed, but it does not exist';
      if (fault) yield broken(id, fault);
      if (!foundByCustomer.get(customer)?.has(id))
        yield broken(id, `${customer} does not find it in the graph`);
    }
    const found = placedByKey.get(`${customer} ${key}`);
    if (found && placedIds.size === 0 && record.unknown === 0)
      yield broken(
        found.id,
        `is placed, but ${customer} was told ${record.refused} times that nothing was ordered`,
      );
  }
}

function faultOf({ customer, key, lines, cancel }: OrderRecord, order: OrderEvidence): string | undefined {
  if (order.customer !== customer || order.key !== key)
    return `expected the order of ${customer} under ${key}, but got that of ${order.customer} under ${order.key}`;
  if (textOf(order.lines) !== textOf(lines))
    return `expected ${textOf(lines)}, but got ${textOf(order.lines)}`;
  if (cancel === 'not asked' && order.status !== 'PLACED')
    return `the client was told that it is placed, but it is ${order.status}`;
  if (cancel === 'cancelled' && order.status !== 'CANCELLED')
    return `the client was told that it is cancelled, but it is ${order.status}`;
  return undefined;
}

/** Nothing is stuck. */
function* checkDecided({ orders, outbox }: Evidence): Generator<Violation> {
  for (const { id, status } of orders)
    if (status === 'PENDING') yield { guarantee: 'events', subject: id, what: 'is undecided' };
  for (const { id, orderId } of outbox)
    yield { guarantee: 'events', subject: orderId, what: `event ${id} is not published` };
}

/** What an order has caused, in this sequence. */
function causedBy({ status, placed }: OrderEvidence): string[] {
  if (status === 'PENDING') return [];
  if (!placed) return ['dev.portico.order.abandoned.v1'];
  return status === 'PLACED'
    ? ['dev.portico.order.placed.v1']
    : ['dev.portico.order.placed.v1', 'dev.portico.order.cancelled.v1'];
}

const kindByEventType = new Map([
  ['dev.portico.order.placed.v1', 'ORDER_PLACED'],
  ['dev.portico.order.cancelled.v1', 'ORDER_CANCELLED'],
]);

/** Each order has one notification of each kind that it caused, and no other. */
function* checkNotifications({ orders, notifications }: Evidence): Generator<Violation> {
  const nameOf = (orderId: string, kind: string, customer: string) => `${orderId} ${kind} of ${customer}`;
  const times = countBy(notifications, each => nameOf(each.orderId, each.kind, each.customer));
  for (const order of orders)
    for (const type of causedBy(order)) {
      const kind = kindByEventType.get(type);
      if (!kind) continue;
      const name = nameOf(order.id, kind, order.customer);
      const count = times.get(name) ?? 0;
      times.delete(name);
      if (count !== 1)
        yield {
          guarantee: 'events',
          subject: order.id,
          what: `expected 1 notification ${kind}, but got ${count}`,
        };
    }
  for (const name of times.keys())
    yield { guarantee: 'events', subject: name, what: 'is a notification of something that did not happen' };
}

/** Each order's events are on the topic, each under one id, first told in their sequence. */
function* checkEvents({ poison }: Ledger, { orders, events, outbox }: Evidence): Generator<Violation> {
  const poisonIds = new Set(poison.map(({ eventId }) => eventId));
  const waiting = new Set(outbox.map(({ orderId }) => orderId));
  const eventsByOrder = groupBy(
    firstOfEach(events).filter(({ id }) => !poisonIds.has(id)),
    ({ orderId }) => orderId,
  );
  for (const order of orders) {
    const got = (eventsByOrder.get(order.id) ?? []).map(({ type }) => type);
    const expected = causedBy(order);
    eventsByOrder.delete(order.id);
    if (got.join() !== expected.join() && !waiting.has(order.id))
      yield {
        guarantee: 'events',
        subject: order.id,
        what: `expected the events ${expected.join(', ') || 'of none'}, but got ${got.join(', ') || 'none'}`,
      };
  }
  for (const [orderId, of] of eventsByOrder)
    yield {
      guarantee: 'orders',
      subject: orderId,
      what: `has ${of.length} events, but the order does not exist`,
    };
}

/** What can't be handled was put aside by each group, with all that one has to know; nothing else was. */
function* checkDeadLetters({ poison }: Ledger, { deadLetters }: Evidence): Generator<Violation> {
  const poisonIds = new Set(poison.map(({ eventId }) => eventId));
  for (const { eventId, group, reason, missingHeaders } of deadLetters) {
    if (!poisonIds.has(eventId))
      yield { guarantee: 'messages', subject: eventId, what: `was put aside by ${group}: ${reason}` };
    if (missingHeaders.length > 0)
      yield {
        guarantee: 'messages',
        subject: eventId,
        what: `was put aside without ${missingHeaders.join(', ')}`,
      };
  }
  for (const { eventId, acknowledged } of poison)
    for (const group of consumerGroups)
      if (acknowledged && !deadLetters.some(letter => letter.eventId === eventId && letter.group === group))
        yield {
          guarantee: 'messages',
          subject: eventId,
          what: `can't be handled, but ${group} did not put it aside`,
        };
}

/** Events without repetitions of the same event, in the order of the first of each. */
export function firstOfEach<T extends { readonly id: string }>(events: readonly T[]): T[] {
  const seen = new Set<string>();
  return events.filter(({ id }) => !seen.has(id) && seen.add(id));
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}

function add(pieces: Map<string, number>, { sku, quantity }: Line): void {
  pieces.set(sku, (pieces.get(sku) ?? 0) + quantity);
}

function countBy<T>(items: readonly T[], nameOf: (item: T) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(nameOf(item), (counts.get(nameOf(item)) ?? 0) + 1);
  return counts;
}

/** Lines in any sequence are the same. */
function textOf(lines: readonly Line[]): string {
  return lines
    .map(({ sku, quantity }) => `${quantity} × ${sku}`)
    .sort()
    .join(', ');
}
