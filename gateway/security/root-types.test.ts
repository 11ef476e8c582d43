import { buildSchema, parse, validate } from 'graphql';
import { expect, test } from 'vitest';
import { rootTypesRule } from './root-types.ts';

const schema = buildSchema('type Query { a: Int } type Mutation { b: Int }');

test.each([
  ['{ a }', []],
  ['mutation { b }', []],
  ['subscription { c }', ['The schema has no subscriptions']],
])('%s has the errors %j', (query, messages) => {
  expect(validate(schema, parse(query), [rootTypesRule]).map(({ message }) => message)).toEqual(messages);
});
