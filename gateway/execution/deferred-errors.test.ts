import { expect, test } from 'vitest';
import { type Federation, startFederation } from '../testing/federation.ts';

const cats = [
  {
    __typename: 'Cat',
    id: '1',
    toys: [
      { __typename: 'Toy', name: 'ball', price: 1, weight: 2 },
      { __typename: 'Toy', name: 'bone', price: new Error('sold out'), weight: null },
    ],
  },
];

/** Cats of one subgraph, whose toys, which are no entities, are of another. */
const pets: Federation = {
  subgraphs: {
    cats: 'type Query { cats: [Cat!]! } type Cat @key(fields: "id") { id: ID! }',
    toys: `type Query { toys: [Toy!]! } type Cat @key(fields: "id") { id: ID! toys: [Toy!]! }
      type Toy { name: String price: Int weight: Int! }`,
  },
  world: { root: { cats, toys: cats[0]?.toys }, entities: { Cat: cats } },
};

/** Errors of each part, by their paths and messages. */
async function errorsByPart(query: string) {
  const { inParts } = await startFederation(pets);
  const { parts, errors = [] } = await inParts(query);
  return { parts: parts.length, errors: errors.map(({ path, message }) => ({ path, message })) };
}

test.each([
  ['the first answer has fetched', '{ toys { name ... @defer { price } } }', ['toys', 1, 'price'], 2],
  [
    'a fragment around it has fetched',
    '{ cats { ... @defer { toys { name ... @defer { price } } } } }',
    ['cats', 0, 'toys', 1, 'price'],
    3,
  ],
  [
    'several fragments leave to each other',
    '{ toys { ... @defer { name } ... @defer { price } } }',
    ['toys', 1, 'price'],
    2,
  ],
])(
  'an error of a deferred field that %s comes with the fragment, once',
  async (_case, query, path, parts) => {
    expect(await errorsByPart(query)).toEqual({ parts, errors: [{ path, message: 'sold out' }] });
  },
);

test('a null that a deferred fragment does not allow is an error, at whatever depth it came', async () => {
  const message = 'Cannot return null for non-nullable field Toy.weight.';
  expect((await errorsByPart('{ toys { ... @defer { weight } } }')).errors).toEqual([
    { path: ['toys', 1, 'weight'], message },
  ]);
  expect((await errorsByPart('{ cats { ... @defer { toys { ... @defer { weight } } } } }')).errors).toEqual([
    { path: ['cats', 0, 'toys', 1, 'weight'], message },
  ]);
});

test('a deferred fragment on an interface has the type that only its own data tells', async () => {
  const movie = { __typename: 'Movie', id: 'm1', score: 5 };
  const { inParts } = await startFederation({
    subgraphs: {
      // It has the interface as an object, and does not know what implements it.
      reviews: `type Query { best: Media } type Media @interfaceObject @key(fields: "id") { id: ID! score: Int }`,
      media: `interface Media @key(fields: "id") { id: ID! } type Movie implements Media @key(fields: "id") { id: ID! }`,
    },
    world: { root: { best: movie }, entities: { Movie: [movie], Media: [movie] } },
  });
  const query = '{ best { ... @defer { id ... @defer { __typename score } } } }';
  const { data, errors } = await inParts(query);
  expect({ data, errors }).toEqual({ data: { best: { __typename: 'Movie', id: 'm1', score: 5 } } });
});
