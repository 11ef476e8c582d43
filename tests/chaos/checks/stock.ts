import type { Evidence } from '../evidence.ts';
import type { Ledger } from '../ledger.ts';
import { addPieces, countBy, textOf } from './count.ts';
import type { Violation } from './violation.ts';

const guarantee = 'stock';

/** Initial stock and restocks are what is available and what placed, uncancelled orders hold; nothing is negative. */
export function* checkStock(ledger: Ledger, evidence: Evidence): Generator<Violation> {
  yield* checkPieces(ledger, evidence);
  yield* checkReservations(evidence);
  yield* checkRestocks(ledger, evidence);
}

function* checkPieces({ initialStock }: Ledger, { stock, restocks, orders }: Evidence): Generator<Violation> {
  const came = new Map(initialStock);
  for (const line of restocks) addPieces(came, line);
  const held = new Map<string, number>();
  for (const { status, lines } of orders)
    if (status === 'PLACED') for (const line of lines) addPieces(held, line);
  for (const sku of new Set([...came.keys(), ...stock.keys(), ...held.keys()])) {
    const expected = (came.get(sku) ?? 0) - (held.get(sku) ?? 0);
    const available = stock.get(sku) ?? 0;
    if (available < 0)
      yield { guarantee, kind: 'wrong', subject: sku, what: `${available} pieces are available` };
    if (available !== expected)
      yield {
        guarantee,
        kind: available < expected ? 'lost' : 'wrong',
        subject: sku,
        what: `expected ${expected} pieces available (${came.get(sku) ?? 0} came, orders hold ${held.get(sku) ?? 0}), but got ${available}`,
      };
  }
}

/** Each placed order holds its lines, and no other order holds anything. */
function* checkReservations({ orders, reservations }: Evidence): Generator<Violation> {
  const wrong = (subject: string, what: string): Violation => ({ guarantee, kind: 'wrong', subject, what });
  const orderById = new Map(orders.map(order => [order.id, order]));
  const reserved = new Map(
    reservations.filter(({ status }) => status === 'RESERVED').map(each => [each.orderId, each]),
  );
  for (const { orderId, lines } of reserved.values()) {
    const order = orderById.get(orderId);
    if (order?.status !== 'PLACED')
      yield wrong(
        orderId,
        `holds ${textOf(lines)}, but the order ${order ? `is ${order.status}` : 'does not exist'}`,
      );
    else if (textOf(lines) !== textOf(order.lines))
      yield wrong(orderId, `expected to hold ${textOf(order.lines)}, but holds ${textOf(lines)}`);
  }
  for (const { id, status, lines } of orders)
    if (status === 'PLACED' && !reserved.has(id))
      yield {
        guarantee,
        kind: 'lost',
        subject: id,
        what: `is placed, but ${textOf(lines)} are not held for it`,
      };
}

/** Checks that each acknowledged restock was added, once. */
function* checkRestocks(ledger: Ledger, { restocks }: Evidence): Generator<Violation> {
  const timesByKey = countBy(restocks, ({ key }) => key ?? '');
  for (const { key, acknowledged } of ledger.restocks) {
    const times = timesByKey.get(key) ?? 0;
    if (times > 1 || (acknowledged && times === 0))
      yield {
        guarantee,
        kind: times > 1 ? 'duplicated' : 'lost',
        subject: key,
        what: `expected the restocking once, but got it ${times} times`,
      };
  }
}
