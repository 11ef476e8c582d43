import { messageOf } from '../../platform/errors.ts';
import type { Closable } from '../../platform/lifecycle.ts';
import type { Logger } from '../../platform/log.ts';
import { repeat } from '../../platform/repeat.ts';
import type { OrderStore } from './store.ts';

interface SweepOptions {
  readonly store: Pick<OrderStore, 'findUndecided' | 'giveUp'>;
  /** Age in ms at which an undecided order is given up. */
  readonly timeoutMs: number;
  readonly log: Logger;
}

/** Orders that are looked up at once. */
const pageSize = 100;
/** Time until a sweep that failed is tried again, in ms. */
const retryMs = 1_000;

/**
 * Gives up orders that a crash has left undecided, so that their stock comes back. An order is decided at the latest
 * one and a half timeouts after it was begun; or, when no instance of this service had its database then, half a
 * timeout after one has it again.
 */
export function giveUpUndecidedOrders({ store, timeoutMs, log }: SweepOptions): Closable {
  async function sweep(signal: AbortSignal): Promise<void> {
    const before = new Date(Date.now() - timeoutMs);
    for (let full = true; full && !signal.aborted; ) {
      const ids = await store.findUndecided(before, pageSize);
      for (const id of ids) {
        const placed = await store.giveUp(id);
        if (!placed) log.warn({ orderId: id }, 'An order was left undecided; it was given up');
      }
      full = ids.length === pageSize;
    }
  }

  return repeat(async signal => {
    try {
      await sweep(signal);
      return timeoutMs / 2;
    } catch (error) {
      log.warn(`Looking for undecided orders failed and will be tried again: ${messageOf(error)}`);
      return Math.min(timeoutMs / 2, retryMs);
    }
  });
}
