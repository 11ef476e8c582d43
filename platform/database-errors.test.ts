import { expect, test } from 'vitest';
import { isDatabaseOutage } from './database-errors.ts';

const withCode = (code: string) => Object.assign(new Error('from the driver'), { code });
const fromAdapter = (cause: object) =>
  Object.assign(withCode('P2010'), { meta: { driverAdapterError: { cause } } });

test.each([
  ...['ECONNREFUSED', 'ECONNRESET', '08006', '57P01', '57P03', '53300', 'P1001', 'P1017', 'P2024'].map(
    code => [code, withCode(code)] as const,
  ),
  ['a code inside', fromAdapter({ kind: 'postgres', originalCode: '57P02' })],
  ['a kind inside', fromAdapter({ kind: 'ConnectionClosed' })],
  ['a connection that broke', new Error('Connection terminated unexpectedly')],
] as const)('%s is an outage', (_case, error) => {
  expect(isDatabaseOutage(error)).toBe(true);
});

test.each([
  ['a deadlock', withCode('40P01')],
  ['a statement that was cancelled', withCode('57014')],
  ['a value that is too long', withCode('P2000')],
  ['a key that is taken', withCode('P2002')],
  ['a value that is refused', fromAdapter({ kind: 'postgres', originalCode: '22021' })],
  ['something else', new Error('the connection of these two is unclear')],
  ['something thrown that is no error', 'ECONNREFUSED'],
] as const)('%s is none', (_case, error) => {
  expect(isDatabaseOutage(error)).toBe(false);
});
