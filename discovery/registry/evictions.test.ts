import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { anInstance, createTestRegistry } from '../testing/instances.ts';
import { startEvictions } from './evictions.ts';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

function startedRegistry() {
  const now = () => Date.now();
  const registry = createTestRegistry({ clock: { now, advance() {} } });
  return { registry, evictions: startEvictions(registry, now) };
}

describe('Evictions', () => {
  test('happen when a lease ends, without anybody looking before', async () => {
    const { registry, evictions } = startedRegistry();
    const evictExpired = vi.spyOn(registry, 'evictExpired');
    registry.register(anInstance({ durationMs: 20_000 }));
    await vi.advanceTimersByTimeAsync(19_999);
    expect(evictExpired).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(registry.leases.size).toBe(0);
    await evictions.close();
  });

  test('are on time for a shorter lease that comes later, and for one that was renewed', async () => {
    const { registry, evictions } = startedRegistry();
    registry.register(anInstance({ instanceId: 'long', durationMs: 40_000 }));
    registry.register(anInstance({ instanceId: 'short', durationMs: 10_000 }));
    await vi.advanceTimersByTimeAsync(10_000);
    expect([...registry.leases.all()].map(({ info }) => info.instanceId)).toEqual(['long']);
    registry.renew('PRODUCTS', 'long');
    await vi.advanceTimersByTimeAsync(39_999);
    expect(registry.leases.size).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(registry.leases.size).toBe(0);
    await evictions.close();
  });

  test('end with the registry', async () => {
    const { registry, evictions } = startedRegistry();
    registry.register(anInstance());
    await evictions.close();
    expect(vi.getTimerCount()).toBe(0);
  });
});
