import { describe, expect, test } from 'vitest';
import { findViolations } from './check.ts';
import type { Violation } from './checks/violation.ts';
import type { EventEvidence, NotificationEvidence, OrderEvidence, ReservationEvidence } from './evidence.ts';
import type { Ledger, OrderRecord } from './ledger.ts';

const lines = [{ sku: 'MUG', quantity: 2 }];

function record(key: string, fields: Partial<OrderRecord> = {}): OrderRecord {
  return {
    customer: 'ada',
    key,
    lines,
    placedIds: new Set(),
    refusals: [],
    unknown: 0,
    cancel: 'not asked',
    reusedForOther: false,
    ...fields,
  };
}

function order(id: string, fields: Partial<OrderEvidence> = {}): OrderEvidence {
  return { id, customer: 'ada', key: `key-${id}`, status: 'PLACED', placed: true, lines, ...fields };
}

function event(orderId: string, what: string): EventEvidence {
  return { id: `${orderId}-${what}`, type: `dev.portico.order.${what}.v1`, orderId };
}

/** A small run in which all is well: one order placed, one cancelled, one given up, one that the client knows nothing of. */
function wellRun() {
  const letter = { eventId: 'poison', reason: 'not an id', missingHeaders: [] as string[] };
  const notifications: NotificationEvidence[] = [
    { orderId: 'placed', customer: 'ada', kind: 'ORDER_PLACED' },
    { orderId: 'cancelled', customer: 'ada', kind: 'ORDER_PLACED' },
    { orderId: 'cancelled', customer: 'ada', kind: 'ORDER_CANCELLED' },
    { orderId: 'unknown', customer: 'ada', kind: 'ORDER_PLACED' },
  ];
  const ledger: Ledger = {
    initialStock: new Map([['MUG', 10]]),
    orders: [
      record('key-placed', { placedIds: new Set(['placed']) }),
      record('key-cancelled', { placedIds: new Set(['cancelled']), cancel: 'cancelled' }),
      record('key-given-up', { refusals: ['OutOfStock'] }),
      record('key-unknown', { unknown: 2 }),
    ],
    restocks: [{ sku: 'MUG', quantity: 5, key: 'restock', acknowledged: true }],
    poison: [{ eventId: 'poison', acknowledged: true }],
    heard: notifications.map(each => ({ ...each })),
    listenerConnections: 1,
  };
  const evidence = {
    orders: [
      order('placed'),
      order('cancelled', { status: 'CANCELLED' }),
      order('given-up', { status: 'CANCELLED', placed: false, key: null }),
      order('unknown'),
    ],
    outbox: [] as { id: string; orderId: string }[],
    stock: new Map([['MUG', 11]]),
    reservations: [
      { orderId: 'placed', status: 'RESERVED', lines },
      { orderId: 'cancelled', status: 'RELEASED', lines },
      { orderId: 'given-up', status: 'RELEASED', lines: [] },
      { orderId: 'unknown', status: 'RESERVED', lines },
    ] as ReservationEvidence[],
    restocks: [{ sku: 'MUG', quantity: 5, key: 'restock' }],
    notifications,
    events: [
      event('placed', 'placed'),
      event('cancelled', 'placed'),
      event('cancelled', 'cancelled'),
      event('given-up', 'abandoned'),
      event('unknown', 'placed'),
      { id: 'poison', type: 'dev.portico.order.cancelled.v1', orderId: 'poison-1' },
    ],
    deadLetters: [
      { ...letter, group: 'inventory' },
      { ...letter, group: 'notifications' },
    ],
    foundByCustomer: new Map([['ada', new Set(['placed', 'cancelled', 'unknown'])]]),
  };
  return { ledger, evidence };
}

type Run = ReturnType<typeof wellRun>;

function without<T>(items: T[], index: number): void {
  items.splice(index, 1);
}

function replace<T extends object>(items: T[], index: number, fields: Partial<T>): void {
  items[index] = { ...(items[index] as T), ...fields };
}

describe('the check after a run', () => {
  test('finds nothing when all is well', () => {
    const { ledger, evidence } = wellRun();
    expect(findViolations(ledger, evidence)).toEqual([]);
  });

  test('lets an event be delivered twice', () => {
    const { ledger, evidence } = wellRun();
    evidence.events.push(event('cancelled', 'placed'));
    expect(findViolations(ledger, evidence)).toEqual([]);
  });

  test.each<[string, Violation['guarantee'], Violation['kind'], string, (run: Run) => void]>([
    ['pieces are missing', 'stock', 'lost', 'MUG', ({ evidence }) => evidence.stock.set('MUG', 10)],
    ['pieces are too many', 'stock', 'wrong', 'MUG', ({ evidence }) => evidence.stock.set('MUG', 12)],
    [
      'stock is negative',
      'stock',
      'wrong',
      'MUG',
      ({ evidence }) => {
        evidence.stock.set('MUG', -1);
        replace(evidence.restocks, 0, { quantity: -7 });
      },
    ],
    [
      'a cancelled order holds its stock',
      'stock',
      'wrong',
      'cancelled',
      ({ evidence }) => replace(evidence.reservations, 1, { status: 'RESERVED' }),
    ],
    [
      'a reservation has no order',
      'stock',
      'wrong',
      'gone',
      ({ evidence }) => evidence.reservations.push({ orderId: 'gone', status: 'RESERVED', lines }),
    ],
    [
      'a placed order holds nothing',
      'stock',
      'lost',
      'placed',
      ({ evidence }) => without(evidence.reservations, 0),
    ],
    [
      'a placed order holds something else',
      'stock',
      'wrong',
      'placed',
      ({ evidence }) => replace(evidence.reservations, 0, { lines: [{ sku: 'MUG', quantity: 1 }] }),
    ],
    [
      'an acknowledged restocking is lost',
      'stock',
      'lost',
      'restock',
      ({ evidence }) => without(evidence.restocks, 0),
    ],
    [
      'a restocking was done twice',
      'stock',
      'duplicated',
      'restock',
      ({ evidence }) => evidence.restocks.push({ sku: 'MUG', quantity: 5, key: 'restock' }),
    ],
    [
      'an acknowledged order is lost',
      'orders',
      'lost',
      'placed',
      ({ evidence }) => without(evidence.orders, 0),
    ],
    [
      'an acknowledged order is not found in the graph',
      'orders',
      'lost',
      'placed',
      ({ evidence }) => evidence.foundByCustomer.get('ada')?.delete('placed'),
    ],
    [
      'an acknowledged order has other lines',
      'orders',
      'wrong',
      'placed',
      ({ evidence }) => replace(evidence.orders, 0, { lines: [{ sku: 'MUG', quantity: 3 }] }),
    ],
    [
      'an acknowledged order belongs to somebody else',
      'orders',
      'wrong',
      'placed',
      ({ evidence }) => replace(evidence.orders, 0, { customer: 'bob' }),
    ],
    [
      'an order was cancelled that nobody cancelled',
      'orders',
      'wrong',
      'placed',
      ({ evidence }) => replace(evidence.orders, 0, { status: 'CANCELLED' }),
    ],
    [
      'an acknowledged cancellation is lost',
      'orders',
      'lost',
      'cancelled',
      ({ evidence }) => replace(evidence.orders, 1, { status: 'PLACED' }),
    ],
    [
      'one key stands for two orders',
      'orders',
      'duplicated',
      'key-placed',
      ({ ledger }) => ledger.orders[0]?.placedIds.add('cancelled'),
    ],
    [
      'a key was taken for other items',
      'orders',
      'wrong',
      'key-placed',
      ({ ledger }) => replace(ledger.orders, 0, { reusedForOther: true }),
    ],
    [
      'a client was told that nothing was ordered, but it was',
      'orders',
      'wrong',
      'unknown',
      ({ ledger }) => replace(ledger.orders, 3, { unknown: 0, refusals: ['OutOfStock'] }),
    ],
    [
      'an event has no order',
      'events',
      'wrong',
      'gone',
      ({ evidence }) => evidence.events.push(event('gone', 'placed')),
    ],
    [
      'an order is undecided',
      'events',
      'stuck',
      'given-up',
      ({ evidence }) => replace(evidence.orders, 2, { status: 'PENDING' }),
    ],
    [
      'an event is not published',
      'events',
      'stuck',
      'placed',
      ({ evidence }) => evidence.outbox.push({ id: 'event', orderId: 'placed' }),
    ],
    ['an event is lost', 'events', 'lost', 'placed', ({ evidence }) => without(evidence.events, 0)],
    [
      'events come in the wrong sequence',
      'events',
      'wrong',
      'cancelled',
      ({ evidence }) =>
        evidence.events.splice(1, 2, event('cancelled', 'cancelled'), event('cancelled', 'placed')),
    ],
    [
      'a thing is told under two ids',
      'events',
      'duplicated',
      'placed',
      ({ evidence }) => evidence.events.push({ ...event('placed', 'placed'), id: 'another' }),
    ],
    [
      'a notification is lost',
      'events',
      'lost',
      'placed',
      ({ evidence }) => without(evidence.notifications, 0),
    ],
    [
      'a notification comes twice',
      'events',
      'duplicated',
      'placed',
      ({ evidence }) =>
        evidence.notifications.push({ orderId: 'placed', customer: 'ada', kind: 'ORDER_PLACED' }),
    ],
    [
      'a notification tells of what did not happen',
      'events',
      'wrong',
      'placed ORDER_CANCELLED of ada',
      ({ evidence }) =>
        evidence.notifications.push({ orderId: 'placed', customer: 'ada', kind: 'ORDER_CANCELLED' }),
    ],
    [
      'a notification does not come to its listener',
      'events',
      'lost',
      'placed ORDER_PLACED of ada',
      ({ ledger }) => without(ledger.heard, 0),
    ],
    [
      'a notification comes to its listener twice',
      'events',
      'duplicated',
      'placed ORDER_PLACED of ada',
      ({ ledger }) => ledger.heard.push({ orderId: 'placed', customer: 'ada', kind: 'ORDER_PLACED' }),
    ],
    [
      'a listener is told that notifications are gone',
      'events',
      'wrong',
      ' NotificationsMissed of ada',
      ({ ledger }) => ledger.heard.push({ orderId: '', customer: 'ada', kind: 'NotificationsMissed' }),
    ],
    [
      'a message that can be handled was put aside',
      'messages',
      'wrong',
      'placed-placed',
      ({ evidence }) =>
        evidence.deadLetters.push({
          eventId: 'placed-placed',
          group: 'inventory',
          reason: 'why',
          missingHeaders: [],
        }),
    ],
    [
      'a message that can not be handled was not put aside by a group',
      'messages',
      'lost',
      'poison',
      ({ evidence }) => without(evidence.deadLetters, 1),
    ],
    [
      'a dead letter lacks a header',
      'messages',
      'wrong',
      'poison',
      ({ evidence }) => replace(evidence.deadLetters, 0, { missingHeaders: ['dlq-reason'] }),
    ],
  ])('finds that %s', (_what, guarantee, kind, subject, breakIt) => {
    const run = wellRun();
    breakIt(run);
    const violations = findViolations(run.ledger, run.evidence);
    expect(violations).toContainEqual({ guarantee, kind, subject, what: expect.any(String) as string });
  });
});
