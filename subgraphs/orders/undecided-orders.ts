import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../../platform/errors.ts';
import { type Closable, closeOnce } from '../../platform/lifecycle.ts';
import type { Logger } from '../../platform/log.ts';
import type { OrderStore } from './store.ts';

interface SweepOptions {
  readonly store: OrderStore;
  /** Age in ms at which an undecided order is given up. */
  readonly timeoutMs: number;
  readonly log: Logger;
}

/**
 * Gives up orders that a crash has left undecided, so that their stock comes back. An order is decided at the latest
 * one and a half timeouts after it was begun, while this service runs.
 */
export function giveUpUndecidedOrders({ store, timeoutMs, log }: SweepOptions): Closable {
  const stop = new AbortController();

  async function sweep(): Promise<void> {
    const ids = await store.findUndecided(new Date(Date.now() - timeoutMs));
    for (const id of ids) {
      await store.abandon(id);
      log.warn({ orderId: id }, 'An order was left undecided; it was given up');
    }
  }

  async function run(): Promise<void> {
    while (!stop.signal.aborted) {
      await sweep().catch(error => log.warn(`Looking for undecided orders failed: ${messageOf(error)}`));
      await delay(timeoutMs / 2, undefined, { signal: stop.signal }).catch(() => {});
    }
  }

  const running = run();
  return {
    close: closeOnce(async () => {
      stop.abort();
      await running;
    }),
  };
}
