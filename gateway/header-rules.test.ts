import { validateHeaderValue } from 'node:http';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { passHeaders } from './header-rules.ts';

const rules = {
  toSubgraphs: ['accept-language', 'traceparent'],
  toClients: ['set-cookie', 'cache-control', 'x-served-by'],
};

test('only the declared headers go to subgraphs', () => {
  const incoming = {
    'accept-language': 'de',
    traceparent: ['00-a-b-01'],
    authorization: 'Bearer secret',
    cookie: 'session=1',
  };
  expect(passHeaders(rules, incoming).request).toEqual({ 'accept-language': 'de', traceparent: '00-a-b-01' });
});

describe('what comes back to the client', () => {
  function response(...answers: Record<string, string | string[]>[]) {
    const headers = passHeaders(rules, {});
    for (const answer of answers) headers.collect(answer);
    return headers.response();
  }

  test('is only what is declared; cookies of all subgraphs, of another header the last', () => {
    expect(
      response(
        { 'set-cookie': ['a=1', 'b=2'], 'x-served-by': 'one', server: 'secret' },
        { 'set-cookie': ['c=3'], 'x-served-by': 'two' },
      ),
    ).toEqual({ 'set-cookie': ['a=1', 'b=2', 'c=3'], 'x-served-by': 'two' });
  });

  test.each([
    [['max-age=60, public', 'max-age=30'], 'max-age=30, public'],
    [['max-age=60, public', 'private, max-age=90'], 'max-age=60, private'],
    [['max-age=60', 'no-store'], 'no-store'],
    [['max-age=60', 'no-cache, max-age=5'], 'no-store'],
    [['max-age=60', 'public'], 'no-store'],
  ])('may be kept as long as each of %j allows: %s', (values, expected) => {
    expect(response(...values.map(value => ({ 'cache-control': value })))).toEqual({
      'cache-control': expected,
    });
  });

  test.each([
    [['max-age=60, public', 'no-store'], 'no-store'],
    [['max-age=60, public', 'private'], 'max-age=60, private'],
  ])('is decided by all lines of one answer: %j', (lines, expected) => {
    expect(response({ 'cache-control': lines })).toEqual({ 'cache-control': expected });
  });

  test('is a number of seconds that caches can count, however large it comes', () => {
    expect(response({ 'cache-control': `max-age=${'9'.repeat(400)}` })).toEqual({
      'cache-control': 'max-age=2147483648, public',
    });
  });

  test('is made of whatever subgraphs send, without a fault', () => {
    const line = fc.oneof(
      fc.string(),
      fc
        .array(
          fc.constantFrom(
            'max-age=',
            '0',
            '60',
            '9'.repeat(30),
            '-1',
            ',',
            ' ',
            '=',
            'private',
            'public',
            '"',
          ),
        )
        .map(parts => parts.join('')),
    );
    const value = fc.oneof(line, fc.array(line, { minLength: 1 }));
    const answer = fc.dictionary(fc.constantFrom('set-cookie', 'cache-control', 'x-served-by'), value);
    fc.assert(
      fc.property(fc.array(answer), answers => {
        const { 'cache-control': kept } = response(...answers);
        if (kept === undefined) return;
        validateHeaderValue('cache-control', String(kept));
        expect(kept).toMatch(/^(no-store|max-age=\d{1,10}, (private|public))$/);
      }),
      { numRuns: 500 },
    );
  });

  test('may not be kept when one subgraph says nothing of it, and says nothing when none does', () => {
    expect(response({ 'cache-control': 'max-age=60' }, {})).toEqual({ 'cache-control': 'no-store' });
    expect(response({}, {})).toEqual({});
  });

  test('may not be kept when a fetch has failed, even when nobody speaks of keeping it', () => {
    const headers = passHeaders(rules, {});
    headers.collect({ 'cache-control': 'max-age=60, public' });
    headers.failed();
    expect(headers.response()).toEqual({ 'cache-control': 'no-store' });
    const alone = passHeaders(rules, {});
    alone.failed();
    expect(alone.response()).toEqual({ 'cache-control': 'no-store' });
    const undeclared = passHeaders({ ...rules, toClients: [] }, {});
    undeclared.failed();
    expect(undeclared.response()).toEqual({});
  });
});
