import { expect, test } from 'vitest';
import { PorticoError } from '../errors.ts';
import { MalformedEventError } from './events.ts';
import { isRetryable } from './retryable-errors.ts';

const withCode = (code: string) => Object.assign(new Error('from the driver'), { code });

test.each([
  ['a database that is away', withCode('ECONNREFUSED')],
  ['a database that shuts down', withCode('57P01')],
  ['a deadlock', withCode('40P01')],
  ['an order of events that will come right', withCode('23503')],
  ['a service that is away', new PorticoError('SERVICE_UNAVAILABLE', 'away')],
  ['something unknown', new Error('what?')],
  ['something thrown that is no error', 'what?'],
])('%s may pass', (_case, error) => {
  expect(isRetryable(error)).toBe(true);
});

test.each([
  ['a message that is not an event', new MalformedEventError('no type')],
  ['an input that is refused', new PorticoError('BAD_USER_INPUT', 'no')],
  ['a text that the database cannot store', withCode('22021')],
  ['a value that a check refuses', withCode('23514')],
  ['a value that is too long, as Prisma says it', withCode('P2000')],
  [
    "the database's error inside Prisma's",
    Object.assign(withCode('P2010'), {
      meta: { driverAdapterError: { cause: { kind: 'postgres', originalCode: '22021' } } },
    }),
  ],
])('%s stays', (_case, error) => {
  expect(isRetryable(error)).toBe(false);
});
