import { describe, expect, test } from 'vitest';
import type { Abortable } from './abort.ts';
import { Deduplication, type Executed } from './deduplication.ts';

/** A client that can leave. */
function createClient() {
  const callbacks: (() => void)[] = [];
  return {
    onGone: (callback: () => void) => void callbacks.push(callback),
    leave() {
      for (const callback of callbacks) callback();
    },
  };
}

/** An execution that ends when it is told. */
function createExecution() {
  let end: (executed: Executed<string>) => void = () => {};
  let fail: (error: Error) => void = () => {};
  let given: Abortable | undefined;
  const ended = new Promise<Executed<string>>((resolve, reject) => {
    [end, fail] = [resolve, reject];
  });
  return {
    execute(signal: Abortable) {
      given = signal;
      return ended;
    },
    end: (answer: string, isShareable = true) => end({ answer, isShareable }),
    fail: (error: Error) => fail(error),
    get isAborted() {
      return given?.aborted ?? false;
    },
  };
}

describe('what is under way', () => {
  test('is joined by its key, until it is done', async () => {
    const deduplication = new Deduplication<string>();
    const execution = createExecution();
    const first = deduplication.begin('key', createClient(), execution.execute);
    const second = deduplication.join('key', createClient());
    expect(deduplication.join('another', createClient())).toBeUndefined();
    execution.end('answer');
    expect([await first, await second]).toEqual(['answer', 'answer']);
    expect(deduplication.join('key', createClient())).toBeUndefined();
  });

  test('is for the request that began it alone when its answer says so', async () => {
    const deduplication = new Deduplication<string>();
    const execution = createExecution();
    const first = deduplication.begin('key', createClient(), execution.execute);
    const second = deduplication.join('key', createClient());
    execution.end('mine', false);
    expect([await first, await second]).toEqual(['mine', undefined]);
  });

  test('fails for all that wait', async () => {
    const deduplication = new Deduplication<string>();
    const execution = createExecution();
    const first = deduplication.begin('key', createClient(), execution.execute);
    const second = deduplication.join('key', createClient());
    execution.fail(new Error('kaput'));
    await expect(first).rejects.toThrow('kaput');
    await expect(second).rejects.toThrow('kaput');
    expect(deduplication.join('key', createClient())).toBeUndefined();
  });

  test('is joined by nobody after something has changed', async () => {
    const deduplication = new Deduplication<string>();
    const [before, after] = [createExecution(), createExecution()];
    const first = deduplication.begin('key', createClient(), before.execute);
    deduplication.forget();
    expect(deduplication.join('key', createClient())).toBeUndefined();
    const second = deduplication.begin('key', createClient(), after.execute);
    const third = deduplication.join('key', createClient());
    before.end('old');
    after.end('new');
    expect([await first, await second, await third]).toEqual(['old', 'new', 'new']);
  });

  test('is given up when the last client has left, and then joined by nobody', async () => {
    const deduplication = new Deduplication<string>();
    const execution = createExecution();
    const [one, other] = [createClient(), createClient()];
    const first = deduplication.begin('key', one, execution.execute);
    void deduplication.join('key', other);
    one.leave();
    expect(execution.isAborted).toBe(false);
    other.leave();
    expect(execution.isAborted).toBe(true);
    expect(deduplication.join('key', createClient())).toBeUndefined();

    // Another may begin before the first has ended, which does not take its place.
    const second = createExecution();
    void deduplication.begin('key', createClient(), second.execute);
    execution.end('too late');
    await first;
    expect(deduplication.join('key', createClient())).toBeDefined();
    second.end('answer');
  });
});
