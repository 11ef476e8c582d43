import { GatewayError } from './gateway-error.ts';
import type { RefusedCounter } from './security/operation-limits.ts';

/** Calls back when the time of an operation is over; at once if it is. */
export type OnOver = (callback: () => void) => void;

/** Bounds the time from a query or mutation to its answer. */
export interface OperationTime {
  /**
   * Runs an operation that may take so long and no longer.
   *
   * @param run is told when the time is over; what it does afterwards is nobody's any more
   * @throws GatewayError OPERATION_TIMEOUT when the time is over
   */
  bound<T>(run: (onOver: OnOver) => Promise<T>): Promise<T>;
  /** A signal that is aborted when the time is over, for an answer that has begun by then. */
  signal(): AbortSignal;
}

/** Makes the bound. @param timeoutMs longest time of an operation */
export function boundTime(timeoutMs: number, refused: RefusedCounter): OperationTime {
  const timedOut = () => {
    refused.inc({ limit: 'OPERATION_TIMEOUT' });
    return new GatewayError(
      'OPERATION_TIMEOUT',
      `The operation took longer than ${timeoutMs} ms, which is the most (OPERATION_TIMEOUT_MS). A mutation may take effect all the same`,
    );
  };
  return {
    async bound(run) {
      const callbacks: (() => void)[] = [];
      let isOver = false;
      let timer: NodeJS.Timeout | undefined;
      const over = new Promise<never>((_resolve, reject) => {
        timer = setTimeout(() => {
          isOver = true;
          reject(timedOut());
          for (const callback of callbacks) callback();
        }, timeoutMs);
      });
      const onOver: OnOver = callback => {
        if (isOver) callback();
        else callbacks.push(callback);
      };
      try {
        return await Promise.race([run(onOver), over]);
      } finally {
        clearTimeout(timer);
      }
    },
    signal: () => AbortSignal.timeout(timeoutMs),
  };
}
