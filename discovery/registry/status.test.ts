import { describe, expect, test } from 'vitest';
import { resolveStatus } from './status.ts';

describe('The status that readers see', () => {
  test('is what the instance says when it cannot work, whatever anybody else says', () => {
    for (const sent of ['DOWN', 'STARTING', 'UNKNOWN'] as const)
      expect(resolveStatus({ sent, override: 'UP', existing: 'UP', replicated: false })).toBe(sent);
  });

  test('is the override when the instance can work', () => {
    expect(resolveStatus({ sent: 'UP', override: 'OUT_OF_SERVICE', existing: 'UP', replicated: false })).toBe(
      'OUT_OF_SERVICE',
    );
  });

  test('stays what the registry has shown when there is no override', () => {
    const claims = { sent: 'UP', override: undefined, existing: 'OUT_OF_SERVICE' } as const;
    expect(resolveStatus({ ...claims, replicated: false })).toBe('OUT_OF_SERVICE');
  });

  test('is what a peer sends, which has applied the rules already', () => {
    const claims = { sent: 'UP', override: undefined, existing: 'OUT_OF_SERVICE' } as const;
    expect(resolveStatus({ ...claims, replicated: true })).toBe('UP');
  });

  test('is what the instance says when nothing else is known, or what is shown is neither UP nor OUT_OF_SERVICE', () => {
    for (const existing of [undefined, 'STARTING', 'DOWN'] as const)
      expect(resolveStatus({ sent: 'UP', override: undefined, existing, replicated: false })).toBe('UP');
  });
});
