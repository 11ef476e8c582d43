import { checkEvents } from './checks/events.ts';
import { checkListeners } from './checks/listeners.ts';
import { checkMessages } from './checks/messages.ts';
import { checkOrders } from './checks/orders.ts';
import { checkStock } from './checks/stock.ts';
import type { Violation } from './checks/violation.ts';
import type { Evidence } from './evidence.ts';
import type { Ledger } from './ledger.ts';

/** Compares what the clients were told with what is there at rest. */
export function findViolations(ledger: Ledger, evidence: Evidence): Violation[] {
  return [checkStock, checkOrders, checkEvents, checkListeners, checkMessages].flatMap(check => [
    ...check(ledger, evidence),
  ]);
}
