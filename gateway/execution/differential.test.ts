import { expect, test } from 'vitest';
import { compareWithPlain } from '../testing/differential.ts';
import { federations } from '../testing/federations.ts';

test.each(Object.entries(federations))(
  'random operations over the federation "%s" are answered as graphql-js answers them over one schema',
  async (_name, federation) => {
    await expect(compareWithPlain(federation, 100)).resolves.toBeUndefined();
  },
);
