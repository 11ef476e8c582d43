import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createAlarm } from './alarm.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function create() {
  const ring = vi.fn();
  return { ring, alarm: createAlarm(ring) };
}

test('an alarm rings once, at the earliest of its times', () => {
  const { ring, alarm } = create();
  alarm.set(50);
  alarm.set(30_000);
  vi.advanceTimersByTime(40);
  alarm.set(50);
  vi.advanceTimersByTime(10);
  expect(ring).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(60_000);
  expect(ring).toHaveBeenCalledTimes(1);
  alarm.set(30_000);
  alarm.set(50);
  vi.advanceTimersByTime(50);
  expect(ring).toHaveBeenCalledTimes(2);
});

test('an alarm that is stopped rings no more, even when it is set', () => {
  const { ring, alarm } = create();
  alarm.set(50);
  alarm.stop();
  alarm.set(50);
  vi.advanceTimersByTime(1_000);
  expect(ring).not.toHaveBeenCalled();
});
