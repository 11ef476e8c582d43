import { setTimeout as delay } from 'node:timers/promises';
import type { EachBatchHandler } from 'kafkajs';
import { Backoff } from '../backoff.ts';
import { type HandleOptions, handleMessage } from './handle-message.ts';

/**
 * Makes the handler of what was fetched of one topic, to be run without `eachBatchAutoResolve`. A partition whose next
 * message is to be tried again is paused until then, so that it holds up no other: kafkajs fetches more only when all that
 * it has fetched is dealt with.
 */
export function createBatchHandler(options: HandleOptions): EachBatchHandler {
  const retryByPartition = new Map<number, { readonly offset: string; readonly backoff: Backoff }>();

  /** Twice as long each time that the same message fails. */
  function nextRetryMs(partition: number, offset: string): number {
    const last = retryByPartition.get(partition);
    const backoff = last?.offset === offset ? last.backoff : new Backoff();
    retryByPartition.set(partition, { offset, backoff });
    return backoff.next();
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
