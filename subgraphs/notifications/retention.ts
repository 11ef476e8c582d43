import { messageOf } from '../../platform/errors.ts';
import type { Closable } from '../../platform/lifecycle.ts';
import type { Logger } from '../../platform/log.ts';
import { repeat } from '../../platform/repeat.ts';
import type { NotificationStore } from './store.ts';

interface RetentionOptions {
  readonly store: Pick<NotificationStore, 'removeBefore'>;
  /** Age at which a notification goes, in days. */
  readonly days: number;
  readonly log: Logger;
}

/** Notifications that are removed at once. */
const batchSize = 1_000;
const everyMs = 3_600_000;
const dayMs = 86_400_000;

/** Removes notifications that are too old, once an hour. Whoever asks for them is told that they are gone. */
export function removeOldNotifications({ store, days, log }: RetentionOptions): Closable {
  return repeat(async signal => {
    try {
      const before = new Date(Date.now() - days * dayMs);
      for (let removed = batchSize; removed === batchSize && !signal.aborted; )
        removed = await store.removeBefore(before, batchSize);
    } catch (error) {
      log.warn(`Removing old notifications failed and will be tried again: ${messageOf(error)}`);
    }
    return everyMs;
  });
}
