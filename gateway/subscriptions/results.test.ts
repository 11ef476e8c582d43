import { GraphQLError } from 'graphql';
import { describe, expect, test, vi } from 'vitest';
import { LiveResults } from './results.ts';

function start(maxWaiting = 2) {
  const onEnded = vi.fn<(overflow?: GraphQLError) => void>();
  const results = new LiveResults({ maxWaiting, onEnded });
  return { results, listener: results, onEnded };
}
const result = (amount: number) => ({ data: { amount } });
const done = { done: true, value: undefined };

describe('the results of one client', () => {
  test('are taken in the order in which they came, also by who waits already', async () => {
    const { listener, results } = start();
    const first = results.next();
    listener.put(result(1), 'a');
    listener.put(result(2), 'b');
    expect(await first).toEqual({ done: false, value: result(1) });
    expect(await results.next()).toEqual({ done: false, value: result(2) });
  });

  test('end after those that came, once', async () => {
    const { listener, results, onEnded } = start();
    listener.put(result(1), 'a');
    listener.end();
    listener.put(result(2), 'b');
    expect(onEnded).toHaveBeenCalledOnce();
    expect(await results.next()).toEqual({ done: false, value: result(1) });
    expect(await results.next()).toEqual(done);
    expect(await results.next()).toEqual(done);
  });

  test('throw the error that they end with', async () => {
    const { listener, results } = start();
    const waiting = results.next();
    listener.end(new GraphQLError('The subgraph is gone'));
    await expect(waiting).rejects.toThrow('The subgraph is gone');
    expect(await results.next()).toEqual(done);
  });

  test('end for a client that leaves one too many, with the cursor of the last that it took', async () => {
    const { listener, results, onEnded } = start(2);
    listener.start('0');
    for (const [amount, cursor] of [
      [1, 'a'],
      [2, 'b'],
    ] as const)
      listener.put(result(amount), cursor);
    await results.next();
    listener.put(result(3), 'c');
    expect(onEnded).not.toHaveBeenCalled();
    listener.put(result(4), 'd');
    expect(onEnded).toHaveBeenCalledOnce();
    expect(onEnded.mock.lastCall?.[0]?.extensions).toEqual({ code: 'SLOW_CLIENT', cursor: 'a' });
    await expect(results.next()).rejects.toThrow('more than 2 events were waiting');
  });

  test('name the cursor that they began after when nothing was taken, and none when there is none', () => {
    const resumable = start(0);
    resumable.listener.start('7');
    resumable.listener.put(result(1), 'a');
    expect(resumable.onEnded.mock.lastCall?.[0]?.extensions).toEqual({ code: 'SLOW_CLIENT', cursor: '7' });
    const other = start(0);
    other.listener.put(result(1), undefined);
    expect(other.onEnded.mock.lastCall?.[0]?.extensions).toEqual({ code: 'SLOW_CLIENT' });
  });

  test('free who waits when they are returned', async () => {
    const { results, onEnded, listener } = start();
    const waiting = results.next();
    expect(await results.return()).toEqual(done);
    expect(await waiting).toEqual(done);
    listener.put(result(1), 'a');
    expect(await results.next()).toEqual(done);
    expect(onEnded).toHaveBeenCalledOnce();
  });
});
