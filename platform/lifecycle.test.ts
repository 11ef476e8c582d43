import { expect, test } from 'vitest';
import { closeOnce, createScope } from './lifecycle.ts';
import { silentLog } from './log.ts';

test('things close in the reverse order of their start, also when one of them fails to', async () => {
  const scope = createScope(silentLog);
  const closed: string[] = [];
  scope.use('first', { close: async () => void closed.push('first') });
  scope.defer('second', () => {
    closed.push('second');
    throw new Error('it would not');
  });
  scope.use('third', { close: async () => void closed.push('third') });
  expect(scope.open).toEqual(['third', 'second', 'first']);

  await Promise.all([scope.close(), scope.close()]);

  expect(closed).toEqual(['third', 'second', 'first']);
  expect(scope.open).toEqual([]);
});

test('what is added while the scope closes is closed too', async () => {
  const scope = createScope(silentLog);
  const closed: string[] = [];
  scope.defer('early', () => {
    scope.defer('late', () => void closed.push('late'));
  });
  await scope.close();
  await scope.close();
  expect(closed).toEqual(['late']);
});

test('closing once runs once, however often it is asked for', async () => {
  let runs = 0;
  const close = closeOnce(async () => {
    runs += 1;
  });
  await Promise.all([close(), close()]);
  expect(runs).toBe(1);
});
