import { setImmediate as immediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Turn } from './turn.ts';

/** Keeps the process busy. */
function busy(ms: number): void {
  const endsAtMs = performance.now() + ms;
  while (performance.now() < endsAtMs);
}

/** Operations that began one after the other. */
function operations(count: number): Turn[] {
  return Array.from({ length: count }, () => {
    busy(0.01);
    return new Turn();
  });
}

test('the oldest operation goes first, whichever asked first', async () => {
  const turns = operations(20);
  const order: number[] = [];
  const indices = turns.map((_turn, index) => index);
  // 7 and 20 have no common divisor.
  const mixed = indices.map(index => (index * 7) % turns.length);
  const waitOf = async (index: number) => {
    await turns[index]?.wait();
    order.push(index);
  };
  await Promise.all(mixed.map(waitOf));
  expect(order).toEqual(indices);
});

test('what an operation goes on to wait for is before operations that began after it', async () => {
  const [first, second] = operations(2) as [Turn, Turn];
  const order: string[] = [];
  await Promise.all([
    second.wait().then(() => order.push('second')),
    first.wait().then(async () => {
      order.push('first');
      await first.wait();
      order.push('first again');
    }),
  ]);
  expect(order).toEqual(['first', 'first again', 'second']);
});

test('an operation that keeps the process busy yields to those that began after it', async () => {
  const [heavy, light] = operations(2) as [Turn, Turn];
  await heavy.wait();
  busy(5);
  await immediate();
  const order: string[] = [];
  await Promise.all([
    heavy.wait().then(() => order.push('heavy')),
    light.wait().then(() => order.push('light')),
  ]);
  expect(order).toEqual(['light', 'heavy']);
});

test('what comes from outside is heard while operations wait', async () => {
  let done = 0;
  const all = Promise.all(
    operations(20).map(async turn => {
      await turn.wait();
      busy(1);
      done += 1;
    }),
  );
  await immediate();
  await immediate();
  expect(done).toBeGreaterThan(0);
  expect(done).toBeLessThan(20);
  await all;
});
