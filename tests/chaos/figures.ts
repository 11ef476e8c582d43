import { firstOfEach } from './checks/count.ts';
import type { Violation } from './checks/violation.ts';
import type { ChaosResult } from './run.ts';

/** The figures of a run, in the sequence in which they are shown. */
export function figuresOf({ ledger, evidence, faults, repeated, rest, violations }: ChaosResult) {
  const { orders } = ledger;
  const placed = orders.filter(({ placedIds }) => placedIds.size > 0);
  const notPlaced = orders.filter(({ placedIds }) => placedIds.size === 0);
  const refused = notPlaced.filter(({ refusals }) => refusals.length > 0);
  const stored = evidence.orders;
  const ofKind = (name: Violation['kind']) => violations.filter(({ kind }) => kind === name).length;
  return {
    'processes killed': faults.killed,
    'processes paused': faults.paused,
    'faults skipped, the process was away': faults.skipped,
    'processes that ended by themselves': faults.endedByThemselves.length,
    'orders tried': orders.length,
    'orders placed': placed.length,
    'orders refused': refused.length,
    '  for lack of stock': refused.filter(({ refusals }) => refusals.includes('OutOfStock')).length,
    'orders unknown to the client': notPlaced.filter(({ refusals }) => refusals.length === 0).length,
    'requests without an answer': orders.reduce((sum, { unknown }) => sum + unknown, 0),
    'orders cancelled': orders.filter(({ cancel }) => cancel === 'cancelled').length,
    'orders stored as placed': stored.filter(({ status }) => status === 'PLACED').length,
    'orders stored as cancelled': stored.filter(({ status, placed }) => placed && status === 'CANCELLED')
      .length,
    'orders given up': stored.filter(({ placed, status }) => !placed && status === 'CANCELLED').length,
    'restocks acknowledged': ledger.restocks.filter(({ acknowledged }) => acknowledged).length,
    events: firstOfEach(evidence.events).length,
    'events delivered again': evidence.events.length - firstOfEach(evidence.events).length,
    '  on purpose': repeated,
    notifications: evidence.notifications.length,
    '  that came to those who listen': ledger.heard.length,
    'connections of those who listen': ledger.listenerConnections,
    'events that can not be handled': ledger.poison.length,
    'dead letters': evidence.deadLetters.length,
    duplicates: ofKind('duplicated'),
    lost: ofKind('lost'),
    stuck: ofKind('stuck'),
    'otherwise wrong': ofKind('wrong'),
    'seconds until rest': Number((rest.tookMs / 1_000).toFixed(1)),
  };
}
