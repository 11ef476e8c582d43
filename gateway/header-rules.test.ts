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
