import type { Evidence, OrderEvidence } from '../evidence.ts';
import type { Ledger } from '../ledger.ts';
import { countBy, firstOfEach, takeOnce } from './count.ts';
import type { Violation } from './violation.ts';

const guarantee = 'events';

/** Each order is decided, its events are on the topic in sequence, and its notifications are there, once each. */
export function* checkEvents(ledger: Ledger, evidence: Evidence): Generator<Violation> {
  yield* checkDecided(evidence);
  yield* checkNotifications(evidence);
  yield* checkTopic(ledger, evidence);
}

function* checkDecided({ orders, outbox }: Evidence): Generator<Violation> {
  for (const { id, status } of orders)
    if (status === 'PENDING') yield { guarantee, kind: 'stuck', subject: id, what: 'is undecided' };
  for (const { id, orderId } of outbox)
    yield { guarantee, kind: 'stuck', subject: orderId, what: `event ${id} is not published` };
}

/** Lists the events of an order, in their sequence. */
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
      const notified = kindByEventType.get(type);
      if (!notified) continue;
      const { count, kind } = takeOnce(times, nameOf(order.id, notified, order.customer));
      if (kind)
        yield {
          guarantee,
          kind,
          subject: order.id,
          what: `expected 1 notification ${notified}, but got ${count}`,
        };
    }
  for (const name of times.keys())
    yield { guarantee, kind: 'wrong', subject: name, what: 'is a notification of what did not happen' };
}

/** Each order's events are on the topic, each under one id, first told in their sequence. */
function* checkTopic({ poison }: Ledger, { orders, events, outbox }: Evidence): Generator<Violation> {
  const ofNoOrder = new Set(poison.map(({ eventId }) => eventId));
  const waiting = new Set(outbox.map(({ orderId }) => orderId));
  const typesByOrder = new Map<string, string[]>();
  for (const { id, orderId, type } of firstOfEach(events))
    if (!ofNoOrder.has(id)) typesByOrder.set(orderId, [...(typesByOrder.get(orderId) ?? []), type]);
  for (const order of orders) {
    const got = typesByOrder.get(order.id) ?? [];
    const expected = causedBy(order);
    typesByOrder.delete(order.id);
    if (got.join() === expected.join() || waiting.has(order.id)) continue;
    yield {
      guarantee,
      kind: got.length < expected.length ? 'lost' : got.length > expected.length ? 'duplicated' : 'wrong',
      subject: order.id,
      what: `expected the events ${expected.join(', ') || 'of none'}, but got ${got.join(', ') || 'none'}`,
    };
  }
  for (const [orderId, types] of typesByOrder)
    yield {
      guarantee,
      kind: 'wrong',
      subject: orderId,
      what: `has the events ${types.join(', ')}, but the order does not exist`,
    };
}
