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

describe('composing', () => {
  test('subgraphs gives a supergraph with the fields of all', () => {
    const outcome = compose([products, reviews]);
    expect(outcome.kind).toBe('composed');
    if (outcome.kind !== 'composed') return;
    expect(outcome.supergraphSdl).toContain('stars: Int');
    expect(outcome.supergraphSdl).toContain('name: String');
  });

  test('subgraphs that contradict each other says which and where', () => {
    const outcome = compose([
      products,
      { ...reviews, sdl: `${federation} type Product @key(fields: "sku") { sku: ID! name: Int }` },
    ]);
    expect(outcome).toMatchObject({ kind: 'failed' });
    if (outcome.kind !== 'failed') return;
    const messages = outcome.faults.map(({ message }) => message).join('\n');
    expect(messages).toContain('Product.name');
    expect(messages).toContain('reviews');
    expect(outcome.faults.map(({ code }) => code)).toContain('FIELD_TYPE_MISMATCH');
  });

  test('an SDL that is not GraphQL says whose it is', () => {
    expect(compose([products, { ...reviews, sdl: 'type {' }])).toEqual({
      kind: 'failed',
      faults: [
        { code: 'INVALID_GRAPHQL', message: expect.stringMatching(/^\[reviews\] Syntax Error/) as string },
      ],
    });
  });
});
