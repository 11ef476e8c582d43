import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isDeeperThan } from './json-depth.ts';

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

describe('the depth of JSON', () => {
  test('is that of what is read of it, whatever stands in its strings', () => {
    const string = fc.string({ unit: fc.constantFrom('[', '{', ']', '}', '"', '\\', 'a', '\u2028') });
    const { value } = fc.letrec<{ value: unknown }>(tie => ({
      value: fc.oneof(
        { maxDepth: 8, withCrossShrink: true },
        string,
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(string, tie('value'), { maxKeys: 3 }),
      ),
    }));
    fc.assert(
      fc.property(value, fc.nat(8), (json, max) => {
        expect(isDeeperThan(JSON.stringify(json), max)).toBe(depthOf(json) > max);
      }),
      { numRuns: 500 },
    );
  });

  test('is found in text of any kind, also without an end', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('[', '{', ']', '"', '\\') }), fc.nat(5), (text, max) => {
        expect(isDeeperThan(text, max)).toBeTypeOf('boolean');
      }),
    );
    for (const part of ['[', '{"a":', '"\\"', '\\', '"'])
      expect(isDeeperThan(part.repeat(1_000_000), 1_000)).toBe(part === '[' || part === '{"a":');
  });
});
