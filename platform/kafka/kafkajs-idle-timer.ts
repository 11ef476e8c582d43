import { createRequire } from 'node:module';

/** The part of kafkajs's request queue that the fix touches. */
interface RequestQueue {
  pending: unknown[];
  throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  scheduleCheckPendingRequests(): void;
  checkPendingRequests(): void;
}

/** Time between two looks at requests that wait for a place in flight, as kafkajs has it. */
const checkPendingIntervalMs = 10;

/**
 * Keeps an idle kafkajs connection from waking up every millisecond: kafkajs 2.2.4 schedules its next look at the queue
 * even when nothing is queued and nothing is throttled, with a delay in the past.
 *
 * @see https://github.com/tulios/kafkajs/issues/1751
 */
export function stopIdlePolling(): void {
  const requestQueue = createRequire(import.meta.url)('kafkajs/src/network/requestQueue') as {
    prototype: RequestQueue;
  };
  requestQueue.prototype.scheduleCheckPendingRequests = function schedule() {
    const throttledForMs = this.throttledUntil - Date.now();
    if (this.throttleCheckTimeoutId || (this.pending.length === 0 && throttledForMs <= 0)) return;
    this.throttleCheckTimeoutId = setTimeout(
      () => {
        this.throttleCheckTimeoutId = null;
        this.checkPendingRequests();
      },
      throttledForMs > 0 ? throttledForMs : checkPendingIntervalMs,
    );
  };
}
