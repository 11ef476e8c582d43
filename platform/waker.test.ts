import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Waker } from './waker.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function sleep(waker: Waker, ms?: number) {
  const ended = vi.fn();
  return { ended, done: waker.sleep(ms).then(ended) };
}

test('a sleep ends when its time has passed', async () => {
  const { ended } = sleep(new Waker(), 50);
  await vi.advanceTimersByTimeAsync(49);
  expect(ended).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1);
  expect(ended).toHaveBeenCalledOnce();
});

test('waking ends a sleep, and leaves no timer', async () => {
  const waker = new Waker();
  const { done } = sleep(waker, 60_000);
  waker.wake();
  await done;
  expect(vi.getTimerCount()).toBe(0);
});

test('waking between two sleeps ends the next one, and no other', async () => {
  const waker = new Waker();
  waker.wake();
  waker.wake();
  await waker.sleep();
  const { ended } = sleep(waker, 1_000);
  await vi.advanceTimersByTimeAsync(999);
  expect(ended).not.toHaveBeenCalled();
});

test('a sleep without a time lasts until it is ended', async () => {
  const waker = new Waker();
  const { ended, done } = sleep(waker);
  await vi.advanceTimersByTimeAsync(86_400_000);
  expect(ended).not.toHaveBeenCalled();
  waker.wake();
  await done;
});
