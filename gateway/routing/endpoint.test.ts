import { describe, expect, test } from 'vitest';
import type { ServiceInstance } from '../../platform/registry/instance.ts';
import { Endpoint } from './endpoint.ts';

function createEndpoint() {
  const clock = { nowMs: 0 };
  const instance = { id: 'a', host: 'h', port: 1, secure: false, metadata: {} } as unknown as ServiceInstance;
  return { clock, endpoint: new Endpoint('products', instance, { now: () => clock.nowMs }) };
}

function fail(endpoint: Endpoint, times: number): boolean[] {
  return Array.from({ length: times }, () => endpoint.failed());
}

describe('an instance', () => {
  test('is ejected by the third failure in a row', () => {
    const { endpoint } = createEndpoint();
    expect(fail(endpoint, 2)).toEqual([false, false]);
    endpoint.succeeded();
    expect(fail(endpoint, 2)).toEqual([false, false]);
    expect(endpoint.ejected).toBe(false);
    expect(fail(endpoint, 1)).toEqual([true]);
    expect(endpoint.ejected).toBe(true);
  });

  test('comes back after a while, and a success makes it as good as new', () => {
    const { clock, endpoint } = createEndpoint();
    fail(endpoint, 3);
    clock.nowMs = 1_000;
    expect(endpoint.ejected).toBe(false);
    endpoint.succeeded();
    expect(fail(endpoint, 2)).toEqual([false, false]);
  });

  test('that fails again when it is back is out for twice as long, up to a minute', () => {
    const { clock, endpoint } = createEndpoint();
    fail(endpoint, 3);
    const outMs: number[] = [];
    for (let round = 0; round < 8; round++) {
      outMs.push(endpoint.ejectedUntilMs - clock.nowMs);
      clock.nowMs = endpoint.ejectedUntilMs;
      expect(fail(endpoint, 1)).toEqual([true]);
    }
    expect(outMs).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
  });

  test('is not ejected again by what was still under way when it was', () => {
    const { endpoint } = createEndpoint();
    fail(endpoint, 3);
    const untilMs = endpoint.ejectedUntilMs;
    expect(fail(endpoint, 5)).toEqual([false, false, false, false, false]);
    endpoint.succeeded();
    expect(endpoint.ejected).toBe(true);
    expect(endpoint.ejectedUntilMs).toBe(untilMs);
  });
});
