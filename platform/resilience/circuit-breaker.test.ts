import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { BreakerRegistry } from './breaker-registry.ts';
import { BreakerOpenError } from './circuit-breaker.ts';
import type { Deadline } from './deadline.ts';

const settings = { timeoutMs: 100, failureRatePercent: 50, minimumCalls: 4, windowMs: 10_000, openMs: 1_000 };
const succeed = () => Promise.resolve('fine');
const fail = () => Promise.reject(new Error('broken'));

describe('a circuit breaker', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  function create(options = {}) {
    const metrics = new Registry();
    return { metrics, breaker: new BreakerRegistry(metrics).create('inventory', { settings, ...options }) };
  }
  type Breaker = ReturnType<typeof create>['breaker'];

  async function run(breaker: Breaker, ...calls: (() => Promise<unknown>)[]): Promise<void> {
    for (const call of calls) await breaker.run(call).catch(() => {});
  }

  /** Makes a call that never ends, and is to be ended by the breaker. */
  async function runTooLong(breaker: Breaker): Promise<void> {
    let signal: AbortSignal | undefined;
    const call = breaker.run(deadline => {
      signal = deadline.signal;
      return new Promise(() => {});
    });
    const outcome = expect(call).rejects.toMatchObject({ code: 'SERVICE_TIMEOUT' });
    await vi.advanceTimersByTimeAsync(settings.timeoutMs);
    await outcome;
    expect(signal?.aborted).toBe(true);
  }

  test('lets calls through and gives what they give', async () => {
    const { breaker } = create();
    expect(await breaker.run(succeed)).toBe('fine');
    await expect(breaker.run(fail)).rejects.toThrow('broken');
    expect(breaker.state).toBe('CLOSED');
  });

  test('opens at exactly its failure rate, and not before its minimum of calls', async () => {
    const { breaker } = create();
    await run(breaker, succeed, succeed, fail);
    expect(breaker.state).toBe('CLOSED');
    await run(breaker, fail);
    expect(breaker.state).toBe('OPEN');
  });

  test('refuses at once while open, and says when to come again', async () => {
    const { breaker } = create();
    await run(breaker, fail, fail, fail, fail);
    const call = vi.fn(succeed);
    await expect(breaker.run(call)).rejects.toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
      retryAfterSeconds: 1,
    });
    await expect(breaker.run(call)).rejects.toBeInstanceOf(BreakerOpenError);
    expect(call).not.toHaveBeenCalled();
  });

  test('lets one call try after its time, and closes when that succeeds', async () => {
    const { breaker } = create();
    await run(breaker, fail, fail, fail, fail);
    vi.advanceTimersByTime(settings.openMs);
    expect(breaker.state).toBe('HALF_OPEN');
    let answer: (text: string) => void = () => {};
    const probe = breaker.run(
      () =>
        new Promise<string>(resolve => {
          answer = resolve;
        }),
    );
    await expect(breaker.run(succeed)).rejects.toBeInstanceOf(BreakerOpenError);
    answer('back');
    expect(await probe).toBe('back');
    expect(breaker.state).toBe('CLOSED');
  });

  test('opens again when the one call that tries fails', async () => {
    const { breaker } = create();
    await run(breaker, fail, fail, fail, fail);
    vi.advanceTimersByTime(settings.openMs);
    await run(breaker, fail);
    expect(breaker.state).toBe('OPEN');
  });

  test('counts anew after it has closed', async () => {
    const { breaker } = create();
    await run(breaker, fail, fail, fail, fail);
    vi.advanceTimersByTime(settings.openMs);
    await run(breaker, succeed, fail, fail);
    expect(breaker.state).toBe('CLOSED');
    await run(breaker, fail);
    expect(breaker.state).toBe('OPEN');
  });

  test('forgets what is older than its window', async () => {
    const { breaker } = create();
    await run(breaker, fail, fail, fail);
    vi.advanceTimersByTime(settings.windowMs);
    expect(breaker.stats).toMatchObject({ calls: 0, failures: 0 });
    await run(breaker, succeed, succeed, succeed, fail);
    expect(breaker.state).toBe('CLOSED');
  });

  const succeedSlowly = async () => {
    vi.advanceTimersByTime(60);
    return 'fine';
  };
  const slowSettings = { ...settings, slowCallMs: 60, slowCallRatePercent: 75 };

  test('opens when too many calls are slow, though they succeed', async () => {
    const { breaker, metrics } = create({ settings: slowSettings });
    await run(
      breaker,
      succeed,
      succeed,
      succeedSlowly,
      succeedSlowly,
      succeedSlowly,
      succeedSlowly,
      succeedSlowly,
    );
    expect(breaker.state).toBe('CLOSED');
    await run(breaker, succeedSlowly);
    expect(breaker.state).toBe('OPEN');
    expect(breaker.stats).toMatchObject({ calls: 8, slow: 6, failures: 0, slowFailures: 0 });
    expect(await metrics.metrics()).toContain('circuitbreaker_slow_calls_total{name="inventory"} 6');
  });

  test('opens again when the one call that tries is slow', async () => {
    const { breaker } = create({ settings: slowSettings });
    await run(breaker, fail, fail, fail, fail);
    vi.advanceTimersByTime(settings.openMs);
    await run(breaker, succeedSlowly);
    expect(breaker.state).toBe('OPEN');
    vi.advanceTimersByTime(settings.openMs);
    await run(breaker, succeed);
    expect(breaker.state).toBe('CLOSED');
  });

  test('counts a slow failure as both', async () => {
    const { breaker } = create({ settings: slowSettings });
    const failSlowly = async () => {
      vi.advanceTimersByTime(60);
      throw new Error('broken');
    };
    await run(breaker, failSlowly);
    expect(breaker.stats).toMatchObject({ calls: 1, failures: 1, slow: 1, slowFailures: 1 });
  });

  test('ends a call that takes too long and aborts its signal', async () => {
    await runTooLong(create().breaker);
  });

  /** A call whose answer comes at once, and is read long after the time of the call. */
  const readLate = async (deadline: Deadline) => {
    deadline.meet();
    await new Promise(resolve => setTimeout(resolve, settings.timeoutMs * 2));
    return deadline.reason ?? 'read';
  };

  test('lets a call go on whose answer has come, for as long as it takes', async () => {
    const { breaker } = create();
    const call = breaker.run(readLate);
    await vi.advanceTimersByTimeAsync(settings.timeoutMs * 2);
    expect(await call).toBe('read');
    expect(breaker.stats.failures).toBe(0);
  });

  test('closes when the answer to the one call that tries has come in time, however late it is read', async () => {
    const { breaker } = create();
    await run(breaker, fail, fail, fail, fail);
    vi.advanceTimersByTime(settings.openMs);
    const call = breaker.run(readLate);
    await vi.advanceTimersByTimeAsync(settings.timeoutMs * 2);
    expect(await call).toBe('read');
    expect(breaker.state).toBe('CLOSED');
  });

  test('opens again when the one call that tries takes too long, whatever counts as a failure besides', async () => {
    const { breaker, metrics } = create({ isFailure: (error: Error) => error.message === 'broken' });
    await run(breaker, fail, fail, fail, fail);
    vi.advanceTimersByTime(settings.openMs);
    await runTooLong(breaker);
    expect(breaker.state).toBe('OPEN');
    expect(await metrics.metrics()).toContain(
      'circuitbreaker_calls_total{name="inventory",kind="timeout"} 1',
    );
  });

  test('does not count an error that is only a refusal', async () => {
    const { breaker } = create({ isFailure: (error: Error) => error.message !== 'out of stock' });
    const refuse = () => Promise.reject(new Error('out of stock'));
    for (let count = 0; count < 10; count++)
      await expect(breaker.run(refuse)).rejects.toThrow('out of stock');
    expect(breaker.state).toBe('CLOSED');
    expect(breaker.stats.failures).toBe(0);
  });

  test('learns nothing from errors that are ignored, also not that it can close', async () => {
    const left = () => Promise.reject(new Error('left'));
    const { breaker, metrics } = create({ isIgnored: (error: Error) => error.message === 'left' });
    await run(breaker, left, left, left, left, left);
    expect(breaker.stats.calls).toBe(0);
    await run(breaker, fail, fail, fail, fail);
    vi.advanceTimersByTime(settings.openMs);
    await run(breaker, left);
    expect(breaker.state).toBe('OPEN');
    vi.advanceTimersByTime(settings.openMs);
    await run(breaker, succeed);
    expect(breaker.state).toBe('CLOSED');
    expect(await metrics.metrics()).toContain(
      'circuitbreaker_calls_total{name="inventory",kind="ignored"} 6',
    );
  });

  test('stays as an operator forces it', async () => {
    const { breaker } = create();
    breaker.force('FORCE_OPEN');
    vi.advanceTimersByTime(settings.openMs * 10);
    expect(breaker.state).toBe('FORCED_OPEN');
    await expect(breaker.run(succeed)).rejects.toBeInstanceOf(BreakerOpenError);

    breaker.force('DISABLE');
    await run(breaker, fail, fail, fail, fail, fail, fail);
    expect(breaker.state).toBe('DISABLED');
    expect(await breaker.run(succeed)).toBe('fine');

    breaker.force('CLOSE');
    expect(breaker.state).toBe('CLOSED');
    expect(await breaker.run(succeed)).toBe('fine');
  });

  test('tells its state and its calls as metrics', async () => {
    const { breaker, metrics } = create();
    await run(breaker, succeed, fail, fail, fail, succeed);
    const text = await metrics.metrics();
    expect(text).toContain('circuitbreaker_state{name="inventory",state="OPEN"} 1');
    expect(text).toContain('circuitbreaker_state{name="inventory",state="CLOSED"} 0');
    expect(text).toContain('circuitbreaker_calls_total{name="inventory",kind="successful"} 1');
    expect(text).toContain('circuitbreaker_calls_total{name="inventory",kind="failed"} 3');
    expect(text).toContain('circuitbreaker_calls_total{name="inventory",kind="not_permitted"} 1');
  });
});
