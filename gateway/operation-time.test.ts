import { expect, test } from 'vitest';
import { boundTime } from './operation-time.ts';

test('what goes on after the time of an operation is told at once that it is over', async () => {
  let goOn: () => void = () => {};
  const wait = new Promise<void>(resolve => {
    goOn = resolve;
  });
  const calls: string[] = [];
  let ended: Promise<void> | undefined;
  const bound = boundTime(10, { inc() {} } as never).bound(onOver => {
    onOver(() => calls.push('before'));
    ended = wait.then(() => onOver(() => calls.push('after')));
    return ended;
  });
  await expect(bound).rejects.toMatchObject({ code: 'OPERATION_TIMEOUT' });
  expect(calls).toEqual(['before']);
  goOn();
  await ended;
  expect(calls).toEqual(['before', 'after']);
});
