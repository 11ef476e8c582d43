import { describe, expect, test, vi } from 'vitest';
import { whenEnded } from './generators.ts';

async function* count(): AsyncGenerator<number, void, undefined> {
  yield 1;
  yield 2;
}

describe('the end of a generator is told once', () => {
  test('when it ends by itself', async () => {
    const onEnded = vi.fn();
    const seen: number[] = [];
    for await (const each of whenEnded(count(), onEnded)) seen.push(each);
    expect(seen).toEqual([1, 2]);
    expect(onEnded).toHaveBeenCalledTimes(1);
  });

  test('when nobody has asked it for anything', async () => {
    const onEnded = vi.fn();
    const generator = whenEnded(count(), onEnded);
    await generator.return();
    await generator.return();
    expect(onEnded).toHaveBeenCalledTimes(1);
  });

  test('when it fails', async () => {
    const onEnded = vi.fn();
    async function* failing(): AsyncGenerator<number, void, undefined> {
      yield 1;
      throw new Error('kaput');
    }
    const generator = whenEnded(failing(), onEnded);
    await generator.next();
    await expect(generator.next()).rejects.toThrow('kaput');
    expect(onEnded).toHaveBeenCalledTimes(1);
  });
});
