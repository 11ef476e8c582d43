import { expect, test } from 'vitest';
import { afterMicrotasks } from './after-microtasks.ts';

test('a callback comes after all microtasks, also those that microtasks make', async () => {
  const order: string[] = [];
  await new Promise<void>(resolve => {
    const callLater = afterMicrotasks(() => {
      order.push('callback');
      resolve();
    });
    setImmediate(() => {
      callLater();
      queueMicrotask(() => queueMicrotask(() => order.push('microtask of a microtask')));
    });
  });
  expect(order).toEqual(['microtask of a microtask', 'callback']);
});
