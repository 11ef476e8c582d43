import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Closable } from '../../platform/lifecycle.ts';
import { createLogger } from '../../platform/log.ts';
import { giveUpUndecidedOrders } from './undecided-orders.ts';

/** Longer than any of these tests: what happens in them happens at the first sweep, or at a retry of it. */
const timeoutMs = 60_000;
const log = createLogger('test', { level: 'silent' });

describe('orders that a crash has left undecided', () => {
  let sweeper: Closable | undefined;
  afterEach(() => sweeper?.close());

  /** Starts over a store in memory, of orders by their age in ms. */
  function start(ageMsById: Map<string, number>) {
    const decided: string[] = [];
    const store = {
      failing: false,
      async findUndecided(before: Date, limit: number) {
        if (store.failing) throw new Error('the database is away');
        return [...ageMsById]
          .filter(([, ageMs]) => Date.now() - ageMs < before.getTime())
          .map(([id]) => id)
          .slice(0, limit);
      },
      async giveUp(id: string) {
        ageMsById.delete(id);
        decided.push(id);
        return undefined;
      },
    };
    return {
      store,
      decided,
      run() {
        sweeper = giveUpUndecidedOrders({ store, timeoutMs, log });
      },
    };
  }

  test('are given up in one sweep, however many there are', async () => {
    const { decided, run } = start(
      new Map(Array.from({ length: 1_050 }, (_, index) => [`order-${index}`, timeoutMs + 1_000])),
    );
    run();
    await vi.waitUntil(() => decided.length === 1_050, { timeout: 5_000 });
  });

  test('are left alone while a request may still decide them', async () => {
    const { decided, run } = start(
      new Map([
        ['young', timeoutMs / 2],
        ['old', timeoutMs + 1_000],
      ]),
    );
    run();
    await vi.waitUntil(() => decided.length > 0);
    await sweeper?.close();
    expect(decided).toEqual(['old']);
  });

  test('are given up soon after the database is back', async () => {
    const { store, decided, run } = start(new Map([['order', timeoutMs + 1_000]]));
    const find = vi.spyOn(store, 'findUndecided');
    store.failing = true;
    run();
    await vi.waitUntil(() => find.mock.calls.length > 0);
    store.failing = false;
    await vi.waitUntil(() => decided.length === 1, { timeout: 5_000 });
  });
});
