/**
 * PostgreSQL's class 22, not null and check violations (https://www.postgresql.org/docs/current/errcodes-appendix.html),
 * and Prisma's names for them (https://www.prisma.io/docs/orm/reference/error-reference).
 */
const refusedValue = /^(?:22[0-9A-Z]{3}|23502|23514|P2000|P2004|P2011|P2020)$/;

/** Of the system, of PostgreSQL, of Prisma, and the kinds of its driver adapter. */
const outageCode = new RegExp(
  `^(?:${[
    'ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN',
    '08[0-9A-Z]{3}|57P0[123]|53300',
    'P1001|P1002|P1008|P1017|P2024|P2028|P2037',
    'DatabaseNotReachable|ConnectionClosed|SocketTimeout|TooManyConnections',
  ].join('|')})$`,
);
/** The errors of pg and its pool that have no code. */
const outageMessage =
  /^(?:Connection terminated\b|Client has encountered a connection error|timeout exceeded when trying to connect$|Query read timeout$)/;

/** Tells whether the database said that it can't store a value, which it will say however often it is tried. */
export function isRefusedValue(error: unknown): boolean {
  return someError(error, ({ code, originalCode }) => [code, originalCode].some(fits(refusedValue)));
}

/** Tells whether the database could not be reached, broke off, did not answer in time, or had no connection to give. */
export function isDatabaseOutage(error: unknown): boolean {
  return someError(
    error,
    ({ code, originalCode, kind, message }) =>
      [code, originalCode, kind].some(fits(outageCode)) || fits(outageMessage)(message),
  );
}

function fits(pattern: RegExp): (value: unknown) => boolean {
  return value => typeof value === 'string' && pattern.test(value);
}

/** Drivers wrap the database's error in their own, at most a few levels deep. */
function someError(error: unknown, is: (error: Record<string, unknown>) => boolean, levels = 4): boolean {
  if (typeof error !== 'object' || error === null || levels === 0) return false;
  const each = error as Record<string, unknown>;
  return (
    is(each) ||
    [each['cause'], each['meta'], each['driverAdapterError']].some(inner => someError(inner, is, levels - 1))
  );
}
