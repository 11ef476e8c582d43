import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { EarliestTimer } from './earliest-timer.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function create() {
  const callback = vi.fn();
  return { callback, timer: new EarliestTimer(callback) };
}

test('a timer calls back once, at the earliest of its times', () => {
  const { callback, timer } = create();
  timer.schedule(50);
  timer.schedule(30_000);
  vi.advanceTimersByTime(40);
  timer.schedule(50);
  vi.advanceTimersByTime(10);
  expect(callback).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(60_000);
  expect(callback).toHaveBeenCalledTimes(1);
  timer.schedule(30_000);
  timer.schedule(50);
  vi.advanceTimersByTime(50);
  expect(callback).toHaveBeenCalledTimes(2);
});

test('a timer that is stopped calls back no more, even when it is scheduled again', () => {
  const { callback, timer } = create();
  timer.schedule(50);
  timer.stop();
  timer.schedule(50);
  vi.advanceTimersByTime(1_000);
  expect(callback).not.toHaveBeenCalled();
});
