import { expect, test } from 'vitest';
import { Backoff, pause } from './backoff.ts';

test('waits double up to the longest, and begin again after a success', () => {
  const backoff = new Backoff({ firstMs: 100, maxMs: 350 });
  expect([backoff.next(), backoff.next(), backoff.next(), backoff.next()]).toEqual([100, 200, 350, 350]);
  backoff.reset();
  expect(backoff.next()).toBe(100);
});

test('a pause ends when its signal aborts, also when it has aborted before', async () => {
  const stop = new AbortController();
  const paused = pause(3_600_000, stop.signal);
  stop.abort();
  await paused;
  await pause(3_600_000, stop.signal);
});
