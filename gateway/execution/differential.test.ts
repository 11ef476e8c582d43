import { expect, test, vi } from 'vitest';
import { comparePartsWithWhole, compareWithPlain } from '../testing/differential.ts';
import { federations } from '../testing/federations.ts';

// Hundreds of operations, each through four executions, take their time on a busy machine.
vi.setConfig({ testTimeout: 30_000 });

test.each(Object.entries(federations))(
  'random operations over the federation "%s" are answered as graphql-js answers them over one schema',
  async (_name, federation) => {
    await expect(compareWithPlain(federation, 100)).resolves.toBeUndefined();
  },
);

test.each(Object.entries(federations))(
  'answers in parts over the federation "%s" are those that come as one',
  async (_name, federation) => {
    await expect(comparePartsWithWhole(federation, 50)).resolves.toBeUndefined();
  },
);
