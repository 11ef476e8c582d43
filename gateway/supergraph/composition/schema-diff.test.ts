import { expect, test } from 'vitest';
import { compose } from './compose.ts';
import { diffSupergraphs } from './schema-diff.ts';

function supergraphOf(fields: string): string {
  const outcome = compose([
    {
      name: 'books',
      hash: fields,
      sdl: `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@inaccessible"])
        type Query { ${fields} }`,
    },
  ]);
  if (outcome.kind === 'failed') throw new Error(outcome.faults[0]?.message);
  return outcome.supergraphSdl;
}

test('the difference of two graphs is what clients see of it, with what breaks them', async () => {
  const before = supergraphOf('title: String isbn: ID hidden: Int @inaccessible');
  const after = supergraphOf('title: String! author: String');
  const changes = await diffSupergraphs(before, after);
  expect(changes.map(({ path, severity }) => `${path} ${severity}`).sort()).toEqual([
    'Query.author safe',
    'Query.isbn breaking',
    'Query.title safe',
  ]);
});
