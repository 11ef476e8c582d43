import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type SubgraphLoss, SubgraphSearch } from './subgraph-search.ts';

const resumeTimeoutMs = 30_000;
/** Loss of a subscription that can go on. */
const loss: SubgraphLoss = { begun: true, openMs: 5_000, hasCursor: true, hasBrought: true };

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, 'random').mockReturnValue(1);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

test('a subgraph is asked again after ever longer waits, until it is found', () => {
  const search = new SubgraphSearch(resumeTimeoutMs);
  const waits = Array.from({ length: 7 }, () => search.lost(loss)?.retryInMs);
  expect(waits).toEqual([50, 100, 200, 400, 800, 1_600, 2_000]);
  search.found();
  expect(search.lost(loss)?.retryInMs).toBe(50);
});

test('a loss is new when the subgraph was heard since the one before, or was open for long', () => {
  const search = new SubgraphSearch(resumeTimeoutMs);
  expect(search.lost(loss)?.isNew).toBe(true);
  expect(search.lost(loss)?.isNew).toBe(false);
  search.found();
  expect(search.lost(loss)?.isNew).toBe(true);
  expect(search.lost({ ...loss, openMs: 10_001 })?.isNew).toBe(true);
});

test.each([
  ['that can go on after a cursor', loss, resumeTimeoutMs],
  ['that it has never begun', { ...loss, begun: false, hasCursor: false }, 2_000],
])('the subgraph of a subscription %s is looked for from the first loss on', (_which, given, patienceMs) => {
  const search = new SubgraphSearch(resumeTimeoutMs);
  search.lost(given);
  vi.advanceTimersByTime(patienceMs);
  expect(search.lost(given)).toBeDefined();
  vi.advanceTimersByTime(1);
  expect(search.lost(given)).toBeUndefined();
});

test('a subscription without a cursor is opened again only when it has missed nothing', () => {
  const isOpenedAgain = (given: Partial<SubgraphLoss>) =>
    new SubgraphSearch(resumeTimeoutMs).lost({ ...loss, hasCursor: false, ...given }) !== undefined;
  expect(isOpenedAgain({ openMs: 1_999, hasBrought: false })).toBe(true);
  expect(isOpenedAgain({ openMs: 2_000, hasBrought: false })).toBe(false);
  expect(isOpenedAgain({ openMs: 0, hasBrought: true })).toBe(false);
});
