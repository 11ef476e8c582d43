import { buildSchema, getOperationAST, parse, print } from 'graphql';
import { describe, expect, test } from 'vitest';
import { resumptionOf } from './resumption.ts';

const schema = buildSchema(`
  type Query { nothing: Int }
  type Subscription {
    changed(sku: ID, after: String): Change!
    happened(after: String): Happening
    ticked: Change!
    counted(after: String): Int!
    listed(after: String): [Change!]!
    numbered(after: Int): Change!
    unmarked(after: String): Unmarked!
    told(after: String): News!
    rumoured(after: String): Rumour!
  }
  type Change { cursor: String! amount: Int! }
  interface Happening { cursor: String! }
  type Storm implements Happening { cursor: String! speed: Int! }
  type Unmarked { cursor: String }
  union News = Change | Storm
  union Rumour = Change | Unmarked
`);

function read(text: string) {
  const document = parse(text);
  const operation = getOperationAST(document);
  if (!operation) throw new Error('The document expected one operation');
  return resumptionOf(schema, document, operation);
}
const squeeze = (text: string) => text.replaceAll(/\s+/g, ' ');

describe('a subscription can be resumed', () => {
  test('by a variable of ours for `after`, and the cursor of each event', () => {
    const resumption = read('subscription ($from: String) { changed(sku: "a", after: $from) { amount } }');
    expect(squeeze(print(resumption?.document ?? parse('{ x }')))).toBe(
      'subscription ($from: String, $portico_after: String) { changed(sku: "a", after: $portico_after) { amount portico_cursor: cursor } }',
    );
    expect(resumption?.cursorOf({ data: { changed: { amount: 1, portico_cursor: '5' } } })).toBe('5');
    expect(resumption?.cursorOf({ data: { changed: null } })).toBeUndefined();
    expect(resumption?.cursorOf({ data: null })).toBeUndefined();
  });

  test('from where the client says, by a variable, a value, or not at all', () => {
    const byVariable = read('subscription ($from: String) { changed(after: $from) { amount } }');
    expect(byVariable?.startOf({ from: '5' })).toBe('5');
    expect(byVariable?.startOf({ from: null })).toBeUndefined();
    expect(byVariable?.startOf({})).toBeUndefined();
    expect(read('subscription { changed(after: "6") { amount } }')?.startOf({})).toBe('6');
    expect(read('subscription { changed { amount } }')?.startOf({})).toBeUndefined();
  });

  test('where its variables differ in more than where to begin, it is another one', () => {
    const text = 'subscription ($sku: ID, $from: String) { changed(sku: $sku, after: $from) { amount } }';
    expect(read(text)?.othersOf({ sku: 'a', from: '5' })).toEqual({ sku: 'a' });
    const twice = 'subscription ($both: String) { changed(after: $both) { amount @include(if: true) } }';
    expect(read(twice)?.othersOf({ both: '5' })).toEqual({});
  });

  test('with the directives of its field', () => {
    const resumption = read(
      'subscription ($on: Boolean!) { changed(after: "1") @include(if: $on) { amount } }',
    );
    expect(squeeze(print(resumption?.document ?? parse('{ x }')))).toContain(
      'changed(after: $portico_after) @include(if: $on) {',
    );
  });

  test('with an alias, in fragments, with an interface as its event', () => {
    const resumption = read(
      `subscription { ...Root } fragment Root on Subscription { ... on Subscription { seen: happened { ... on Storm { speed } } } }`,
    );
    expect(resumption?.cursorOf({ data: { seen: { portico_cursor: '1' } } })).toBe('1');
    expect(squeeze(print(resumption?.document ?? parse('{ x }')))).toContain(
      'subscription ($portico_after: String) { seen: happened(after: $portico_after) { ... on Storm { speed } portico_cursor: cursor } }',
    );
  });

  test('with a union as its event, if each member has a cursor', () => {
    const resumption = read('subscription { told { ... on Storm { speed } } }');
    expect(squeeze(print(resumption?.document ?? parse('{ x }')))).toContain(
      'told(after: $portico_after) { ... on Storm { speed } ... on Change { portico_cursor: cursor } ... on Storm { portico_cursor: cursor } }',
    );
  });

  test.each([
    'subscription { ticked { amount } }',
    'subscription { counted }',
    'subscription { listed { amount } }',
    'subscription { numbered { amount } }',
    'subscription { unmarked { cursor } }',
    'subscription { rumoured { ... on Change { amount } } }',
    'subscription ($on: Boolean!) { ... @include(if: $on) { changed { amount } } }',
  ])('not without both names and their types, nor if it may not be there: %s', text => {
    expect(read(text)).toBeUndefined();
  });
});
