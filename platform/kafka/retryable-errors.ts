import { isRefusedValue } from '../database-errors.ts';
import { PorticoError } from '../errors.ts';
import { MalformedEventError } from './events.ts';

/**
 * Tells whether handling the same message again may succeed. It cannot when the message itself is at fault, or holds a
 * value that the database refuses.
 */
export function isRetryable(error: unknown): boolean {
  if (error instanceof MalformedEventError) return false;
  // What a handler can't compute, it never can.
  if (error instanceof RangeError || error instanceof SyntaxError) return false;
  if (error instanceof PorticoError) return error.retryable;
  return !isRefusedValue(error);
}
