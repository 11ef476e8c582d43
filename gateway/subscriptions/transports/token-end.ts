import type { OperationCaller } from '../../security/operation-caller.ts';

/** Longest time that a timer of Node takes, in ms. */
const maxTimerMs = 2 ** 31 - 1;

/**
 * Calls back, once, when a caller's token is accepted no more.
 *
 * @param onEnded gets the reason: `The token has expired`
 * @returns what stops that
 */
export function whenTokenEnds(caller: OperationCaller, onEnded: (reason: string) => void): () => void {
  const { expiresAtMs } = caller;
  const stopWatching = caller.onDenied?.(() => end('The token has been revoked'));
  let timer: NodeJS.Timeout | undefined;
  const wait = () => {
    const remainingMs = (expiresAtMs ?? 0) - Date.now();
    if (remainingMs <= 0) end('The token has expired');
    else timer = setTimeout(wait, Math.min(remainingMs, maxTimerMs));
  };
  const stop = () => {
    clearTimeout(timer);
    stopWatching?.();
  };
  function end(reason: string): void {
    stop();
    onEnded(reason);
  }
  if (expiresAtMs !== undefined) timer = setTimeout(wait, 0);
  return stop;
}
