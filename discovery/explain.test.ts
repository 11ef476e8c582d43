import { describe, expect, test } from 'vitest';
import { explainPreservation } from './explain.ts';

describe('The explanation of self-preservation', () => {
  test('names each reason, how many leases are kept, and for how long at most', () => {
    const state = {
      state: 'on',
      sinceMs: 0,
      reasons: ['many-leases-late', 'peer-unreachable'],
      held: 5,
      late: 4,
      expected: 9,
    } as const;
    expect(explainPreservation(state, 300_000)).toBe(
      'Eviction is paused: 4 of 9 leases missed a renewal, which looks like a cut network rather than 4 crashes; ' +
        'a peer that renews leases here cannot be reached. 5 expired leases are kept, none for more than 300 s past its end.',
    );
  });

  test('says until when those that were kept may come back', () => {
    const state = { state: 'ending', sinceMs: 0, untilMs: 1_000, held: 1 } as const;
    expect(explainPreservation(state, 300_000)).toBe(
      'What paused eviction is over. 1 expired lease is kept until 1970-01-01T00:00:01.000Z.',
    );
  });
});
