import type { Evidence } from '../evidence.ts';
import type { Ledger } from '../ledger.ts';
import type { Violation } from './violation.ts';

const guarantee = 'messages';

/** Consumer groups that read the events of orders. */
export const consumerGroups = ['inventory', 'notifications'] as const;

/** Checks that each group has dead-lettered what can't be handled, with all that one has to know, and nothing else. */
export function* checkMessages({ poison }: Ledger, { deadLetters }: Evidence): Generator<Violation> {
  const poisonIds = new Set(poison.map(({ eventId }) => eventId));
  for (const { eventId, group, reason, missingHeaders } of deadLetters) {
    if (!poisonIds.has(eventId))
      yield { guarantee, kind: 'wrong', subject: eventId, what: `was put aside by ${group}: ${reason}` };
    if (missingHeaders.length > 0)
      yield {
        guarantee,
        kind: 'wrong',
        subject: eventId,
        what: `was put aside without ${missingHeaders.join(', ')}`,
      };
  }
  for (const { eventId, acknowledged } of poison)
    for (const group of consumerGroups)
      if (acknowledged && !deadLetters.some(each => each.eventId === eventId && each.group === group))
        yield {
          guarantee,
          kind: 'lost',
          subject: eventId,
          what: `can't be handled, but ${group} did not put it aside`,
        };
}
