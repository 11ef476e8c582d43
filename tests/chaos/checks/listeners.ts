import type { Evidence } from '../evidence.ts';
import type { HeardRecord, Ledger } from '../ledger.ts';
import { countBy, takeOnce } from './count.ts';
import type { Violation } from './violation.ts';

const guarantee = 'events';
const nameOf = ({ orderId, kind, customer }: HeardRecord) => `${orderId} ${kind} of ${customer}`;

/** Each customer who listens was told of each of his notifications, once, and of nothing else. */
export function* checkListeners({ heard }: Ledger, { notifications }: Evidence): Generator<Violation> {
  const times = countBy(heard, nameOf);
  for (const name of new Set(notifications.map(nameOf))) {
    const { count, kind } = takeOnce(times, name);
    if (kind)
      yield {
        guarantee,
        kind,
        subject: name,
        what: `expected to come to its listener once, but came ${count} times`,
      };
  }
  for (const name of times.keys())
    yield { guarantee, kind: 'wrong', subject: name, what: 'came to its listener, but is not stored' };
}
