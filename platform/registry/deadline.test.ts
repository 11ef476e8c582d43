import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import { withDeadline } from '../deadline.ts';

/** A call that ends only when it is told to. */
function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error));
  });
}

describe('A call with a deadline', () => {
  test('gives back what the call gives', async () => {
    expect(await withDeadline({ timeoutMs: 1_000 }, async () => 'answer')).toBe('answer');
  });

  test('ends when its time is over, saying so', async () => {
    await expect(withDeadline({ timeoutMs: 5 }, untilAborted)).rejects.toThrow('no answer within 5 ms');
  });

  test('ends in time when it does not listen to its signal', async () => {
    const deaf = () => new Promise<never>(() => {});
    await expect(withDeadline({ timeoutMs: 5 }, deaf)).rejects.toThrow('no answer within 5 ms');
    const caller = new AbortController();
    const call = withDeadline({ timeoutMs: 1_000, signal: caller.signal }, deaf);
    caller.abort(new Error('enough'));
    await expect(call).rejects.toThrow('enough');
  });

  test('ends when its caller gives up, and does not begin when the caller has done so before', async () => {
    const caller = new AbortController();
    const call = withDeadline({ timeoutMs: 1_000, signal: caller.signal }, untilAborted);
    caller.abort(new Error('enough'));
    await expect(call).rejects.toThrow('enough');
    let began = false;
    const second = withDeadline({ timeoutMs: 1_000, signal: caller.signal }, async () => {
      began = true;
    });
    await expect(second).rejects.toThrow('enough');
    expect(began).toBe(false);
  });

  test('leaves nothing on the caller’s signal', async () => {
    const { signal } = new AbortController();
    await withDeadline({ timeoutMs: 1_000, signal }, async () => {});
    await withDeadline({ timeoutMs: 5, signal }, untilAborted).catch(() => {});
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});
