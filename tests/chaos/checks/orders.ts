import type { Evidence, OrderEvidence } from '../evidence.ts';
import type { Ledger, OrderRecord } from '../ledger.ts';
import { textOf } from './count.ts';
import type { Violation } from './violation.ts';

const guarantee = 'orders';
const wrong = (subject: string, what: string): Violation => ({ guarantee, kind: 'wrong', subject, what });
const lost = (subject: string, what: string): Violation => ({ guarantee, kind: 'lost', subject, what });

/** Checks that each order is there as it was acknowledged, and that a key stands for one order. */
export function* checkOrders(ledger: Ledger, { orders, foundByCustomer }: Evidence): Generator<Violation> {
  const orderById = new Map(orders.map(order => [order.id, order]));
  const placedIdByKey = new Map(
    orders.filter(({ placed }) => placed).map(({ customer, key, id }) => [`${customer} ${key}`, id]),
  );
  for (const record of ledger.orders) {
    const { customer, key, placedIds } = record;
    yield* checkKey(record, placedIdByKey.get(`${customer} ${key}`));
    for (const id of placedIds) {
      const order = orderById.get(id);
      if (order) yield* checkOrder(record, order);
      else yield lost(id, `${customer} was told that it is placed, but it does not exist`);
      if (!foundByCustomer.get(customer)?.has(id))
        yield lost(id, `${customer} was told that it is placed, but does not find it in the graph`);
    }
  }
}

function* checkKey(
  { customer, key, placedIds, refusals, unknown, reusedForOther }: OrderRecord,
  placedId: string | undefined,
): Generator<Violation> {
  if (placedIds.size > 1)
    yield {
      guarantee,
      kind: 'duplicated',
      subject: key,
      what: `stands for ${placedIds.size} orders of ${customer}: ${[...placedIds].join(', ')}`,
    };
  if (reusedForOther) yield wrong(key, `${customer} got an order of other items under the same key`);
  if (placedId && placedIds.size === 0 && unknown === 0)
    yield wrong(
      placedId,
      `is placed, but ${customer} was told that nothing was ordered: ${refusals.join(', ')}`,
    );
}

function* checkOrder(
  { customer, key, lines, cancel }: OrderRecord,
  order: OrderEvidence,
): Generator<Violation> {
  if (order.customer !== customer || order.key !== key)
    yield wrong(
      order.id,
      `expected the key ${key} of ${customer}, but got ${order.key} of ${order.customer}`,
    );
  if (textOf(order.lines) !== textOf(lines))
    yield wrong(order.id, `expected ${textOf(lines)}, but got ${textOf(order.lines)}`);
  if (cancel === 'not asked' && order.status !== 'PLACED')
    yield wrong(order.id, `${customer} was told that it is placed, but it is ${order.status}`);
  if (cancel === 'cancelled' && order.status !== 'CANCELLED')
    yield lost(order.id, `${customer} was told that it is cancelled, but it is ${order.status}`);
}
