import type { OperationCaller } from '../security/operation-caller.ts';

/** Longest time that a timer of Node takes, in ms. */
const maxTimerMs = 2 ** 31 - 1;

/** Calls back when a caller's token expires. @returns what stops that */
export function atExpiry({ expiresAtMs }: OperationCaller, onExpired: () => void): () => void {
  if (expiresAtMs === undefined) return () => {};
  const remainingMs = Math.max(0, expiresAtMs - Date.now());
  if (remainingMs > maxTimerMs) return () => {};
  const timer = setTimeout(onExpired, remainingMs);
  return () => clearTimeout(timer);
}
