import type { OperationCaller } from '../../security/operation-caller.ts';

/** Longest time that a timer of Node takes, in ms. */
const maxTimerMs = 2 ** 31 - 1;

/** Calls back when a caller's token expires. @returns what stops that */
export function atExpiry({ expiresAtMs }: OperationCaller, onExpired: () => void): () => void {
  if (expiresAtMs === undefined) return () => {};
  let timer: NodeJS.Timeout;
  const wait = () => {
    const remainingMs = expiresAtMs - Date.now();
    if (remainingMs <= 0) onExpired();
    else timer = setTimeout(wait, Math.min(remainingMs, maxTimerMs));
  };
  timer = setTimeout(wait, 0);
  return () => clearTimeout(timer);
}
