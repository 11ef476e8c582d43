import { isRefusedValue } from '../database-errors.ts';
import { PorticoError } from '../errors.ts';
import { MalformedEventError } from './events.ts';

/**
 * Says whether handling the same message again may succeed. What is wrong with the message itself stays wrong, and so
 * does a value that the database refuses; anything else may pass.
 */
export function mayPass(error: unknown): boolean {
  if (error instanceof MalformedEventError) return false;
  // What a handler can't compute, it never can.
  if (error instanceof RangeError || error instanceof SyntaxError) return false;
  if (error instanceof PorticoError) return error.retryable;
  return !isRefusedValue(error);
}
