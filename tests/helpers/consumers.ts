import { expect, vi } from 'vitest';
import type { TestSystem } from './system.ts';

/** Longest time until a consumer is in its group, in ms. */
const joinTimeoutMs = 30_000;

/** Waits until the consumers of these instances are in their groups, so that each gets its share of the events. */
export async function untilConsuming(shop: TestSystem, instances: readonly string[]): Promise<void> {
  for (const name of instances)
    await vi.waitFor(
      async () => {
        const health = await (await fetch(shop.actuator(name, 'health'))).json();
        expect(health).toMatchObject({ components: { kafka: { details: { phase: 'consuming' } } } });
      },
      { timeout: joinTimeoutMs, interval: 50 },
    );
}
