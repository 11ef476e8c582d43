import { readFileSync } from 'node:fs';
import { GraphQLError } from 'graphql';
import { describe, expect, test } from 'vitest';
import { errorKinds } from '../platform/errors.ts';
import { silentLog } from '../platform/log.ts';
import { createClientErrorFormatter } from './errors.ts';
import { GatewayError, gatewayErrorKinds } from './gateway-error.ts';

const format = createClientErrorFormatter(silentLog);
const formatted = (error: GraphQLError) => format(error.toJSON(), error);

describe('an error that a client gets', () => {
  test('names the subgraph that it is from, with its code', () => {
    const error = new GraphQLError('no such order', {
      path: ['order'],
      extensions: { code: 'NOT_FOUND', serviceName: 'orders', id: '7' },
    });
    expect(formatted(error)).toEqual({
      message: 'no such order',
      path: ['order'],
      extensions: { code: 'NOT_FOUND', subgraph: 'orders', id: '7' },
    });
  });

  test('is a client’s fault where Apollo Server answers it as one, and gives no code', () => {
    const error = new GraphQLError('provided sha does not match query', {
      extensions: { http: { status: 400, headers: new Map() } },
    });
    expect(formatted(error)).toEqual({
      message: 'provided sha does not match query',
      extensions: { code: 'BAD_USER_INPUT' },
    });
  });

  test.each([{ serviceName: 'legacy' }, { serviceName: 'legacy', code: 'DOWNSTREAM_SERVICE_ERROR' }])(
    'of a subgraph that gives no code has one: %j',
    extensions => {
      expect(formatted(new GraphQLError('it broke', { extensions })).extensions).toEqual({
        code: 'SUBGRAPH_ERROR',
        subgraph: 'legacy',
      });
    },
  );

  test.each([
    { code: 'NOT_FOUND', serviceName: 'legacy', stacktrace: ['at a.ts'] },
    { code: 'NOT_FOUND', serviceName: 'legacy', exception: { stacktrace: ['at a.ts'], host: 'db-1' } },
  ])('has no stack trace of its subgraph: %j', extensions => {
    expect(formatted(new GraphQLError('it broke', { extensions })).extensions).toEqual({
      code: 'NOT_FOUND',
      subgraph: 'legacy',
    });
  });

  test('of ours keeps its message, code and details, however deep it is wrapped', () => {
    const inner = new GatewayError('SUBGRAPH_TIMEOUT', 'too slow', { details: { subgraph: 'orders' } });
    const error = new GraphQLError('wrapped', {
      originalError: new GraphQLError('again', { originalError: inner }),
    });
    expect(formatted(error)).toMatchObject({
      message: 'too slow',
      extensions: { code: 'SUBGRAPH_TIMEOUT', subgraph: 'orders' },
    });
  });

  test('says nothing of what went wrong in the gateway itself', () => {
    const error = new GraphQLError('the password of the database is hunter2', {
      originalError: new TypeError('the password of the database is hunter2'),
      extensions: { code: 'INTERNAL_SERVER_ERROR', stacktrace: ['at secret.ts'] },
    });
    expect(formatted(error)).toEqual({
      message: 'Internal server error',
      extensions: { code: 'INTERNAL_SERVER_ERROR' },
    });
  });
});

test('the table of errors in the documentation is the one in the code', () => {
  const text = readFileSync(new URL('../docs/errors.md', import.meta.url), 'utf8');
  const rows = [...text.matchAll(/^\| `([A-Z_]+)` \| (\d{3}) \| (yes|no) \|/gm)].map(
    ([, code, status, again]) => [code, { httpStatus: Number(status), retryable: again === 'yes' }],
  );
  expect(Object.fromEntries(rows)).toEqual({ ...errorKinds, ...gatewayErrorKinds });
});
