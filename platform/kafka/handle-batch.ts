import { setTimeout as delay } from 'node:timers/promises';
import type { EachBatchHandler } from 'kafkajs';
import { type HandleOptions, handleMessage } from './handle-message.ts';

const firstRetryMs = 100;
const maxRetryMs = 5_000;

/**
 * Makes the handler of what was fetched of one topic, to be run without `eachBatchAutoResolve`. A partition whose next
 * message is to be tried again is paused until then, so that it holds up no other: kafkajs fetches more only when all that
 * it has fetched is dealt with.
 */
export function createBatchHandler(options: HandleOptions): EachBatchHandler {
  const retryByPartition = new Map<number, { readonly offset: string; readonly retryMs: number }>();

  /** Twice as long each time that the same message fails. */
  function nextRetryMs(partition: number, offset: string): number {
    const last = retryByPartition.get(partition);
    const retryMs = last?.offset === offset ? Math.min(last.retryMs * 2, maxRetryMs) : firstRetryMs;
    retryByPartition.set(partition, { offset, retryMs });
    return retryMs;
  }

  return async ({ batch, isRunning, isStale, pause, resolveOffset, heartbeat, commitOffsetsIfNecessary }) => {
    const { topic, partition, messages } = batch;
    for (const message of messages) {
      if (!isRunning() || isStale()) return;
      if ((await handleMessage({ topic, partition, message }, options)) === 'again') {
        const resume = pause();
        delay(nextRetryMs(partition, message.offset), undefined, { signal: options.signal }).then(
          resume,
          () => {},
        );
        return;
      }
      resolveOffset(message.offset);
      await heartbeat();
      await commitOffsetsIfNecessary();
    }
  };
}
