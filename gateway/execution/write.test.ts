import { buildSchema, type GraphQLObjectType, Kind, type OperationDefinitionNode, parse } from 'graphql';
import { describe, expect, test } from 'vitest';
import { Selection } from './shape.ts';
import { compileWriter } from './write.ts';

const schema = buildSchema(`
  scalar Anything
  enum Size { SMALL LARGE }
  interface Named { name: String! }
  type Pen implements Named { name: String! price: Float }
  type Book implements Named { name: String! pages: Int! }
  union Item = Pen | Book
  type Query {
    text: String size: Size count: Int! flag: Boolean id: ID ratio: Float any: Anything
    lists: [[Int!]] named: [Named] items: [Item!] constructor: String
  }`);

function write(query: string, root: Record<string, unknown>, maxBytes = 1_000_000): string | undefined {
  const [operation] = parse(query).definitions as [OperationDefinitionNode];
  expect(operation.kind).toBe(Kind.OPERATION_DEFINITION);
  const selection = new Selection({ schema, fragments: new Map(), variables: {}, separated: new Set() }, [
    operation.selectionSet,
  ]);
  return compileWriter(
    schema,
    schema.getQueryType() as GraphQLObjectType,
    selection,
  )(root, maxBytes)?.toString();
}

describe('an answer is written as JSON has it', () => {
  test.each([
    ['', ''],
    ['quotes and backslashes', 'say "no" \\ or not'],
    ['control characters', 'one\ntwo\tthree\u0000'],
    ['other alphabets', 'naïve Łódź 東京'],
    ['characters of two units', '👩‍🚀 at work'],
    ['a surrogate alone', 'half \ud83d of it'],
    ['delete', '\u007f'],
    ['more than the writer begins with', `${'x'.repeat(200_000)}é`],
  ])('with a text of %s', (_case, text) => {
    expect(write('{ text }', { text })).toBe(`${JSON.stringify({ data: { text } })}\n`);
  });

  test('with leaves of every kind, lists of lists and nulls', () => {
    const data = {
      size: 'LARGE',
      count: -3,
      flag: false,
      id: 7,
      ratio: 1e21,
      any: { a: [1, null, 'ü'] },
      lists: [[1, 2], null, []],
      text: null,
    };
    const query = '{ size count flag id ratio any lists text }';
    expect(write(query, data)).toBe(`${JSON.stringify({ data })}\n`);
  });

  test('with the fields of each type, in the order and by the names that were asked for', () => {
    const root = {
      items: [
        { __typename: 'Book', pages: 3, title: 'A' },
        { title: 'B', __typename: 'Pen', price: 2.5 },
      ],
    };
    const query =
      '{ items { ... on Named { title: name } ... on Book { pages __typename } ... on Pen { price } } }';
    expect(write(query, root)).toBe(
      '{"data":{"items":[{"title":"A","pages":3,"__typename":"Book"},{"title":"B","price":2.5}]}}\n',
    );
  });
});

test.each([
  ['lacks a field', '{ text }', {}],
  ['has null for what is never null', '{ count }', { count: null }],
  ['has null in a list of what is never null', '{ lists }', { lists: [[null]] }],
  ['has a value that is no number', '{ count }', { count: '3' }],
  ['has a number that is too large', '{ count }', { count: 2 ** 31 }],
  ['has a value that the enum lacks', '{ size }', { size: 'HUGE' }],
  ['has an object for a list', '{ lists }', { lists: {} }],
  [
    'has an object that does not say its type',
    '{ items { ... on Pen { price } } }',
    { items: [{ price: 1 }] },
  ],
  [
    'has an object of a type that does not belong',
    '{ items { __typename } }',
    { items: [{ __typename: 'Query' }] },
  ],
  ['lacks a field whose name every object has', '{ constructor }', {}],
])('an answer that %s is not written', (_case, query, root) => {
  expect(write(query, root)).toBeUndefined();
});
