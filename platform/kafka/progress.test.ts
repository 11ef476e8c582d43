import { beforeEach, expect, test } from 'vitest';
import { followProgress, type Progress } from './progress.ts';

let nowMs = 0;
let progress: Progress;
beforeEach(() => {
  nowMs = 0;
  progress = followProgress({ groupId: 'notifications', stuckAfterMs: 1_000, now: () => nowMs });
});
const after = (ms: number) => {
  nowMs += ms;
  return progress.check().status;
};

test('a consumer is unknown until it consumes, and then up as long as it gets on', () => {
  expect(after(0)).toBe('UNKNOWN');
  progress.made('consuming');
  for (let count = 0; count < 10; count++) {
    expect(after(900)).toBe('UP');
    progress.made();
  }
});

test('a consumer that does not get on is down, and up again when it does', () => {
  progress.made('consuming');
  expect(after(1_001)).toBe('DOWN');
  expect(progress.check().details).toMatchObject({
    error: expect.stringContaining('no progress for 1001 ms, longer than KAFKA_STUCK_AFTER_MS, 1000'),
  });
  progress.made();
  expect(after(0)).toBe('UP');
});

test('a rebalance that does not end is down', () => {
  progress.made('consuming');
  progress.entered('rebalancing');
  expect(after(1_000)).toBe('UNKNOWN');
  expect(after(1)).toBe('DOWN');
  expect(progress.check().details).toMatchObject({ phase: 'rebalancing' });
});

test('a consumer whose broker does not answer is not down, but after the broker is back it can be', () => {
  progress.made('consuming');
  for (let count = 0; count < 10; count++) {
    expect(after(900)).not.toBe('DOWN');
    progress.failedToConnect('connection refused');
  }
  expect(progress.check()).toMatchObject({ status: 'UNKNOWN', details: { broker: 'connection refused' } });
  expect(after(1_001)).toBe('DOWN');
});

test('a handler that does not end is down, whatever the consumer does beside it', () => {
  progress.made('consuming');
  const ended = progress.trying();
  expect(after(600)).toBe('UP');
  progress.made();
  progress.failedToConnect('connection refused');
  expect(after(600)).toBe('DOWN');
  ended();
  progress.made();
  expect(after(0)).toBe('UP');
});
