import { expect, test } from 'vitest';
import { isHost, namesOneHost } from './host-header.ts';

test.each([
  '',
  'localhost',
  'shop.example:443',
  'a_b',
  '127.0.0.1:4000',
  '[::1]:4000',
  'SHOP.example',
  'shop.example.',
])('%j may be a host', text => {
  expect(isHost(text)).toBe(true);
  // It may come again.
  expect(isHost(text)).toBe(true);
});

test.each([
  'a/b',
  'a b',
  'user@a',
  'a?b',
  'a#b',
  'a\\b',
  '[',
  '[::1',
  ':80',
  'a:b',
  'a:99999',
  '999.999.999.999',
  'a,b',
])('%j is no host', text => {
  expect(isHost(text)).toBe(false);
});

test('a request may name its host once', () => {
  expect(namesOneHost(['Host', 'a', 'Accept', 'Host'])).toBe(true);
  expect(namesOneHost(['Accept', '*/*'])).toBe(true);
  expect(namesOneHost(['Host', 'a', 'hOST', 'a'])).toBe(false);
});
