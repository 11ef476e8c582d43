import { expect, test } from 'vitest';
import { redirectWithin } from './redirect.ts';

const url = 'http://10.0.0.1:8000/graphql';

test.each([
  [307, '/graphql/', 'http://10.0.0.1:8000/graphql/'],
  [308, 'http://10.0.0.1:8000/api?a=1', 'http://10.0.0.1:8000/api?a=1'],
  [301, 'graphql/v2#top', 'http://10.0.0.1:8000/graphql/v2'],
])('a redirect %d to %s leads to %s', (status, location, to) => {
  expect(redirectWithin(url, status, location)).toBe(to);
});

test.each([
  [307, 'http://evil.example/graphql'],
  [307, '//evil.example/graphql'],
  [307, 'https://10.0.0.1:8000/graphql'],
  [307, 'http://10.0.0.1:8001/graphql'],
  [307, 'http://user:secret@10.0.0.1:8000/graphql/'],
  [307, '/graphql'],
  [307, 'http://['],
  [307, undefined],
  [307, ['/a', '/b']],
  [303, '/graphql/'],
  [200, '/graphql/'],
])('status %d with the location %j is not followed', (status, location) => {
  expect(redirectWithin(url, status, location)).toBeUndefined();
});
