import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseLaunchRules } from './launch-rules.ts';

test('a text of any kind has rules, or is refused', () => {
  const field = fc.constantFrom(
    'subgraphs',
    'types',
    'newSubgraphs',
    'breakingChanges',
    '__proto__',
    'constructor',
  );
  const value = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom('allow', 'approve'),
    fc.dictionary(
      fc.constantFrom('items', '__proto__', 'constructor'),
      fc.oneof(fc.jsonValue(), fc.array(fc.string())),
    ),
  );
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    fc.dictionary(field, value).map(each => JSON.stringify(each)),
  );
  fc.assert(
    fc.property(text, each => {
      let rules: ReturnType<typeof parseLaunchRules>;
      try {
        rules = parseLaunchRules(each);
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
        return;
      }
      expect(parseLaunchRules(JSON.stringify(rules))).toEqual(rules);
      expect(Object.getPrototypeOf(rules.subgraphs)).toBe(Object.prototype);
    }),
    { numRuns: 300 },
  );
});
