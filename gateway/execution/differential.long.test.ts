import { expect, test } from 'vitest';
import { compareWithPlain } from '../testing/differential.ts';
import { federations } from '../testing/federations.ts';

test.each(Object.entries(federations))(
  'hundreds of random operations over the federation "%s" are answered as graphql-js answers them',
  async (_name, federation) => {
    await expect(compareWithPlain(federation, 400)).resolves.toBeUndefined();
  },
  120_000,
);
