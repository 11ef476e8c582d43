import { describe, expect, test } from 'vitest';
import { compose } from './compose.ts';

const federation = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])';
const products = {
  name: 'products',
  hash: 'a',
  sdl: `${federation} type Query { product: Product } type Product @key(fields: "sku") { sku: ID! name: String }`,
};
const reviews = {
  name: 'reviews',
  hash: 'b',
  sdl: `${federation} type Product @key(fields: "sku") { sku: ID! stars: Int }`,
};

/** Where a text begins in the SDL of a subgraph. */
function placeOf({ name, sdl }: { name: string; sdl: string }, text: string) {
  const lines = sdl.slice(0, sdl.indexOf(text)).split('\n');
  return { subgraph: name, line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 };
}

describe('composing', () => {
  test('subgraphs gives a supergraph with the fields of all', () => {
    const outcome = compose([products, reviews]);
    expect(outcome.kind).toBe('composed');
    if (outcome.kind !== 'composed') return;
    expect(outcome.supergraphSdl).toContain('stars: Int');
    expect(outcome.supergraphSdl).toContain('name: String');
  });

  test('subgraphs that contradict each other says which and where', () => {
    const contrary = {
      ...reviews,
      sdl: `${federation}\ntype Product @key(fields: "sku") {\n  sku: ID!\n  name: Int }`,
    };
    const outcome = compose([products, contrary]);
    expect(outcome).toMatchObject({ kind: 'failed' });
    if (outcome.kind !== 'failed') return;
    const messages = outcome.faults.map(({ message }) => message).join('\n');
    expect(messages).toContain('Product.name');
    expect(messages).toContain('reviews');
    const mismatch = outcome.faults.find(({ code }) => code === 'FIELD_TYPE_MISMATCH');
    expect(mismatch?.locations).toEqual([placeOf(products, 'name: String'), placeOf(contrary, 'name: Int')]);
  });

  test('an SDL that is not GraphQL says whose it is, and where', () => {
    expect(compose([products, { ...reviews, sdl: '# reviews\n  type {' }])).toEqual({
      kind: 'failed',
      faults: [
        {
          code: 'INVALID_GRAPHQL',
          message: expect.stringMatching(/^\[reviews\] Syntax Error/) as string,
          locations: [{ subgraph: 'reviews', line: 2, column: 8 }],
        },
      ],
    });
  });

  test('an SDL that contradicts itself says whose it is, and where', () => {
    const lost = { ...products, sdl: `${federation}\ntype Query { product: Lost }` };
    expect(compose([lost])).toMatchObject({
      kind: 'failed',
      faults: [{ locations: [{ subgraph: 'products', line: 2, column: 23 }] }],
    });
  });
});
