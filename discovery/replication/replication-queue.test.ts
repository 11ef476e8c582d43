import { beforeEach, describe, expect, test } from 'vitest';
import { ReplicationQueue } from './replication-queue.ts';

let pending: ReplicationQueue;

beforeEach(() => {
  pending = new ReplicationQueue();
});

function told() {
  return pending.take(100).map(({ id, lease, override }) => [id, lease, override]);
}

describe('What a peer is still to be told', () => {
  test('is one entry an instance, however much happened', () => {
    pending.add('A', '1', 'Register');
    for (let count = 0; count < 1_000; count++) pending.add('A', '1', 'Heartbeat');
    pending.add('A', '1', 'StatusUpdate');
    expect(pending.size).toBe(1);
    expect(told()).toEqual([['1', 'Register', 'StatusUpdate']]);
  });

  test('is the entries of so many instances at most, the latest', () => {
    const few = new ReplicationQueue(3);
    for (let count = 0; count < 10; count++) few.add('A', String(count), 'Cancel');
    const taken = few.take(2);
    expect(taken.map(({ id }) => id)).toEqual(['7', '8']);
    few.add('A', '10', 'Cancel');
    few.add('A', '11', 'Cancel');
    few.putBack(taken);
    expect(few.size).toBe(3);
  });

  test('is only that an instance has left, once it has', () => {
    pending.add('A', '1', 'Register');
    pending.add('A', '1', 'StatusUpdate');
    pending.add('A', '1', 'Cancel');
    expect(told()).toEqual([['1', 'Cancel', undefined]]);
  });

  test('is that an instance registered, when it came back after it had left', () => {
    pending.add('A', '1', 'Cancel');
    pending.add('A', '1', 'Register');
    expect(told()).toEqual([['1', 'Register', undefined]]);
  });

  test('is the last of several overrides', () => {
    pending.add('A', '1', 'StatusUpdate');
    pending.add('A', '1', 'DeleteStatusOverride');
    expect(told()).toEqual([['1', undefined, 'DeleteStatusOverride']]);
  });

  test('is told oldest first, in parts', () => {
    for (const id of ['1', '2', '3']) pending.add('A', id, 'Heartbeat');
    expect(pending.take(2).map(({ id }) => id)).toEqual(['1', '2']);
    expect(pending.take(2).map(({ id }) => id)).toEqual(['3']);
  });

  test('that could not be told is put back before what happened since', () => {
    pending.add('A', '1', 'Register');
    pending.add('A', '2', 'Heartbeat');
    const taken = pending.take(2);
    pending.add('A', '1', 'Heartbeat');
    pending.add('A', '2', 'Cancel');
    pending.putBack(taken);
    expect(told()).toEqual([
      ['1', 'Register', undefined],
      ['2', 'Cancel', undefined],
    ]);
  });
});
