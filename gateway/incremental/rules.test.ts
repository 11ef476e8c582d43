import { buildSchema, GraphQLSchema, parse, validate } from 'graphql';
import { describe, expect, test } from 'vitest';
import { deferDirective } from '../supergraph/graph/defer-directive.ts';
import { deferRule } from './rules.ts';

const plain = buildSchema(`
  type Query { a: Query n: Int }
  type Mutation { m: Query }
  type Subscription { s: Query }`);
const schema = new GraphQLSchema({
  ...plain.toConfig(),
  directives: [...plain.getDirectives(), deferDirective],
});
const messagesOf = (text: string) => validate(schema, parse(text), [deferRule]).map(({ message }) => message);

describe('@defer is allowed', () => {
  test.each([
    '{ ... @defer { n } a { ... @defer(label: "x") { n } ... @defer(label: "y") { n } } }',
    '{ ...F @defer } fragment F on Query { n }',
    'mutation { m { ... @defer { n } } }',
    'mutation { ... @defer(if: false) { m { n } } }',
    'subscription ($on: Boolean!) { s { ... @defer(if: $on) { n } } }',
  ])('in %s', text => {
    expect(messagesOf(text)).toEqual([]);
  });
});

describe('@defer is refused', () => {
  test.each([
    [
      '{ ... @defer(label: "x") { n } a { ... @defer(label: "x") { n } } }',
      "The label 'x' of @defer is used twice",
    ],
    [
      'query ($x: String) { ... @defer(label: $x) { n } }',
      'The label of @defer must be a text, and no variable',
    ],
    ['mutation { ... @defer { m { n } } }', '@defer is not supported on the fields of a mutation itself'],
    [
      'mutation { ...F } fragment F on Mutation { ... @defer { m { n } } }',
      '@defer is not supported on the fields of a mutation itself',
    ],
    [
      'subscription { s { ...F } } fragment F on Query { a { ... @defer { n } } }',
      '@defer is not supported in subscriptions',
    ],
  ])('in %s', (text, message) => {
    expect(messagesOf(text)).toEqual([message]);
  });

  test('but does not keep fragments that spread each other from ending', () => {
    expect(messagesOf('subscription { s { ...F } } fragment F on Query { a { ...F } }')).toEqual([]);
  });
});
