import { buildSchema, getOperationAST, parse } from 'graphql';
import { Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { createCostLimits } from './cost-limit.ts';
import { compileEstimate } from './estimate.ts';
import { readWeights } from './weights.ts';

const supergraph = `
  schema @link(url: "https://specs.apollo.dev/link/v1.0")
    @link(url: "https://specs.apollo.dev/cost/v0.1", import: ["@listSize"]) { query: Query mutation: Mutation }
  type Query {
    one: Item
    many: [Item]
    ten: [Item] @listSize(assumedSize: 10)
    slice(first: Int = 3, last: Int, page: Page): [Item] @listSize(slicingArguments: ["first", "last"])
    paged(page: Page): [Item] @listSize(slicingArguments: ["page.size"], assumedSize: 7)
    connection(first: Int): Connection @listSize(slicingArguments: ["first"], sizedFields: ["edges"])
    dear: Int @cost(weight: 50)
    asked(deeply: Boolean @cost(weight: 4)): Item
    heavy: Heavy
    any: Any
  }
  type Mutation { change: Item other: Item }
  input Page { size: Int }
  type Connection { edges: [Edge] total: Int }
  type Edge { node: Item }
  type Item { id: ID parts: [Item] mood: Mood }
  type Heavy @cost(weight: 9) { id: ID }
  enum Mood @cost(weight: 2) { GOOD }
  union Any = Item | Heavy`;
const definitions = `directive @cost(weight: Int!) on FIELD_DEFINITION | OBJECT | ENUM | ARGUMENT_DEFINITION
  directive @listSize(assumedSize: Int, slicingArguments: [String!], sizedFields: [String!]) on FIELD_DEFINITION
  directive @link(url: String, import: [String]) repeatable on SCHEMA`;
const schema = buildSchema(`${supergraph}\n${definitions}`);
const weights = readWeights(supergraph);

function costOf(query: string, variables: Record<string, unknown> = {}): number {
  const document = parse(query);
  const operation = getOperationAST(document);
  if (!operation) throw new Error('The document has several operations');
  return compileEstimate({ schema, weights, defaultListSize: 5 }, document, operation)(variables);
}

describe('the estimated cost', () => {
  test.each<[string, string, number, Record<string, unknown>?]>([
    ['of an object is 1, and that of its leaves nothing', '{ one { id } }', 1],
    ['of a list is that of its items', '{ many { id } }', 5],
    ['goes by the size that is assumed', '{ ten { id parts { id } } }', 10 * (1 + 5)],
    ['goes by an argument', '{ slice(first: 8) { id } }', 8],
    ['goes by a default of an argument', '{ slice { id } }', 3],
    ['goes by a variable', 'query ($n: Int) { slice(last: $n) { id } }', 20, { n: 20 }],
    ['goes by a field of an input', '{ paged(page: { size: 2 }) { id } }', 2],
    ['goes by what is assumed when no argument is given', '{ paged { id } }', 7],
    [
      'counts the fields that have the items',
      '{ connection(first: 4) { total edges { node { id } } } }',
      1 + 4 * (1 + 1),
    ],
    ['has the weight of a field', '{ dear }', 50],
    ['has the weight of an argument that is given', '{ asked(deeply: true) { id } }', 5],
    ['has the weight of a type', '{ heavy { id } }', 9],
    ['has the weight of an enum', '{ one { mood } }', 3],
    ['counts each alias', '{ a: one { id } b: one { id } }', 2],
    [
      'counts what fragments select',
      '{ any { ...F ... on Heavy { id } } } fragment F on Item { parts { id } }',
      1 + 5,
    ],
    [
      'leaves out what is skipped',
      'query ($no: Boolean!) { one { id } many @skip(if: $no) { id } }',
      1,
      { no: true },
    ],
    ['of a mutation has that of its fields', 'mutation { change { id } other { id } }', 2 * 10 + 2],
    ['of introspection is nothing', '{ __schema { types { name } } }', 0],
  ])('%s', (_what, query, cost, variables) => {
    expect(costOf(query, variables)).toBe(cost);
  });
});

test('an operation that costs more than it may is refused with both numbers, or only counted', async () => {
  const metrics = new Registry();
  const options = { maxCost: 4, defaultListSize: 5, metrics };
  const document = parse('{ many { id } }');
  const operation = getOperationAST(document);
  if (!operation) throw new Error('The document has several operations');
  const limit = createCostLimits({ ...options, measuresOnly: false })(supergraph, schema);
  expect(limit?.compile(document, operation)({})?.extensions).toEqual({
    code: 'COST_ESTIMATED_TOO_EXPENSIVE',
    estimatedCost: 5,
    maxCost: 4,
    http: { status: 400 },
  });
  expect(await metrics.metrics()).toContain(
    'gateway_operation_cost_estimated_count{result="too_expensive"} 1',
  );
  metrics.clear();
  const measured = createCostLimits({ ...options, measuresOnly: true })(supergraph, schema);
  expect(measured?.compile(document, operation)({})).toBeUndefined();
  expect(
    createCostLimits({ ...options, maxCost: 0, measuresOnly: false, metrics: new Registry() })(
      supergraph,
      schema,
    ),
  ).toBeUndefined();
});
