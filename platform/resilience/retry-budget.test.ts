import { expect, test } from 'vitest';
import { createRetryBudget } from './retry-budget.ts';

function retriesLeft(budget: ReturnType<typeof createRetryBudget>): number {
  let count = 0;
  while (budget.tryRetry()) count += 1;
  return count;
}

test('a share of the requests may be retried', () => {
  const budget = createRetryBudget({ ratio: 0.25, minPerSecond: 0, now: () => 0 });
  expect(retriesLeft(budget)).toBe(0);
  for (let count = 0; count < 100; count++) budget.request();
  expect(retriesLeft(budget)).toBe(25);
});

test('a few retries are allowed however few the requests are', () => {
  const budget = createRetryBudget({ ratio: 0, minPerSecond: 2, windowMs: 5_000, now: () => 0 });
  expect(retriesLeft(budget)).toBe(10);
});

test('requests pay for as long as the window lasts, and retries come back after it', () => {
  let nowMs = 0;
  const budget = createRetryBudget({ ratio: 0.5, minPerSecond: 0, windowMs: 10_000, now: () => nowMs });
  for (let count = 0; count < 10; count++) budget.request();
  nowMs = 9_000;
  expect(retriesLeft(budget)).toBe(5);
  for (let count = 0; count < 4; count++) budget.request();
  nowMs = 10_500;
  expect(retriesLeft(budget)).toBe(0);
  nowMs = 20_000;
  expect(retriesLeft(budget)).toBe(0);
  budget.request();
  budget.request();
  expect(retriesLeft(budget)).toBe(1);
  nowMs = 1_000_000;
  expect(retriesLeft(budget)).toBe(0);
});
