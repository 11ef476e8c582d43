import { PorticoError } from '../errors.ts';
import { MalformedEventError } from './events.ts';

/**
 * Codes of errors that say that a value can't be stored, however often it is tried: PostgreSQL's class 22, not null and
 * check violations (https://www.postgresql.org/docs/current/errcodes-appendix.html), and Prisma's names for them.
 */
const lasting = /^(?:22[0-9A-Z]{3}|23502|23514|P2000|P2004|P2011|P2020)$/;

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

/** Drivers wrap the database's error in their own, at most a few levels deep. */
function isRefusedValue(error: unknown, levels = 4): boolean {
  if (typeof error !== 'object' || error === null || levels === 0) return false;
  const { code, originalCode, cause, meta, driverAdapterError } = error as Record<string, unknown>;
  if ([code, originalCode].some(each => typeof each === 'string' && lasting.test(each))) return true;
  return [cause, meta, driverAdapterError].some(inner => isRefusedValue(inner, levels - 1));
}
