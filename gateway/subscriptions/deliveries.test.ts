import { expect, test } from 'vitest';
import { Deliveries } from './deliveries.ts';

function held<T>(value: T) {
  let release = () => {};
  const result = new Promise<T>(resolve => {
    release = () => resolve(value);
  });
  return { result, release };
}

test('results are delivered in the order in which they came, whichever is complete first', async () => {
  const deliveries = new Deliveries();
  const delivered: number[] = [];
  const [first, second] = [held(1), held(2)];
  deliveries.add(first.result, value => delivered.push(value));
  deliveries.add(second.result, value => delivered.push(value));
  expect(deliveries.pending).toBe(2);
  second.release();
  await second.result;
  expect(delivered).toEqual([]);
  first.release();
  await deliveries.done;
  expect(delivered).toEqual([1, 2]);
  expect(deliveries.pending).toBe(0);
});
