import { buildSchema, getOperationAST, parse } from 'graphql';
import { Registry } from 'prom-client';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { Selection } from '../execution/shape.ts';
import { createLimiters } from '../security/limiters.ts';
import { anonymous } from '../security/operation-caller.ts';
import { type CountedParty, countRateLimited } from '../security/rate-limit.ts';
import { compileActual } from './actual.ts';
import { createCostBudget } from './budget.ts';
import { createCosts } from './costs.ts';
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
    cheap: Int @cost(weight: -50)
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
    [
      'of a mutation has that of its fields in fragments',
      'mutation { ... on Mutation { a: change { id } b: other { id } } }',
      2 * 10 + 2,
    ],
    ['is never below nothing', '{ cheap }', 0],
    ['of introspection is nothing', '{ __schema { types { name } } }', 0],
  ])('%s', (_what, query, cost, variables) => {
    expect(costOf(query, variables)).toBe(cost);
  });
});

const party = (id: string): CountedParty => ({
  caller: { ...anonymous, caller: { kind: 'customer', id, scopes: [] } },
  address: '192.0.2.1',
});

function start({ maxCost = 100, measuresOnly = false, perMinute = 0, addressPerMinute = 0 } = {}) {
  const metrics = new Registry();
  const refused = countRateLimited(metrics);
  const budgets = {
    RATE_LIMIT_CALLER_COST_PER_MINUTE: perMinute,
    RATE_LIMIT_ADDRESS_COST_PER_MINUTE: addressPerMinute,
  };
  const costs = createCosts({
    config: {
      OPERATION_MAX_COST: maxCost,
      OPERATION_DEFAULT_LIST_SIZE: 5,
      OPERATION_COST_MEASURE_ONLY: measuresOnly,
    },
    budget: createCostBudget(budgets, createLimiters(undefined), refused),
    metrics,
  });
  return { costs, metrics };
}

describe('an operation that costs more than it may', () => {
  test('is refused with both numbers', async () => {
    const { costs, metrics } = start({ maxCost: 4 });
    const refusal = await costs.accountOf(party('ada')).charge(5);
    expect(refusal?.extensions).toMatchObject({
      code: 'COST_ESTIMATED_TOO_EXPENSIVE',
      estimatedCost: 5,
      maxCost: 4,
      http: { status: 400 },
    });
    expect(await metrics.metrics()).toContain(
      'gateway_operation_cost_estimated_count{result="too_expensive"} 1',
    );
  });

  test.each([{ maxCost: 4, measuresOnly: true }, { maxCost: 0 }])(
    'runs all the same with %j',
    async options => {
      expect(await start(options).costs.accountOf(party('ada')).charge(5)).toBeUndefined();
    },
  );
});

describe('costs within a minute', () => {
  test('add up by the caller, and what an operation did not use is given back', async () => {
    const { costs, metrics } = start({ perMinute: 100 });
    const first = costs.accountOf(party('ada'));
    expect(await first.charge(60)).toBeUndefined();
    const second = costs.accountOf(party('ada'));
    const refusal = await second.charge(60);
    expect(refusal?.message).toMatch(/costs 60, and this caller has 40 of 100 left/);
    expect(refusal?.extensions).toMatchObject({
      code: 'COST_BUDGET_EXCEEDED',
      availableCost: 40,
      http: { status: 429, headers: new Map([['retry-after', '60']]) },
    });
    expect(await costs.accountOf(party('bob')).charge(60)).toBeUndefined();

    first.settle(10);
    await vi.waitFor(async () => expect(await costs.accountOf(party('ada')).charge(60)).toBeUndefined());
    expect(await metrics.metrics()).toContain('gateway_operations_rate_limited_total{by="caller_cost"}');
    expect(await metrics.metrics()).toContain('gateway_operation_cost_actual_sum 10');
  });

  test('are whole again in the next minute, whatever operations give back that began in this one', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const { costs } = start({ maxCost: 1_000, perMinute: 100 });
    const first = costs.accountOf(party('ada'));
    expect(await first.charge(100)).toBeUndefined();
    await vi.advanceTimersByTimeAsync(60_100);
    expect(await costs.accountOf(party('ada')).charge(50)).toBeUndefined();
    first.settle(0);
    await vi.advanceTimersByTimeAsync(10);
    expect((await costs.accountOf(party('ada')).charge(60))?.message).toContain('has 50 of 100 left');
  });

  test('are counted exactly after a refusal of whatever size', async () => {
    const { costs } = start({ maxCost: 0, perMinute: 100 });
    expect(await costs.accountOf(party('ada')).charge(90)).toBeUndefined();
    expect((await costs.accountOf(party('ada')).charge(1e20))?.message).toContain('has 10 of 100 left');
    expect((await costs.accountOf(party('ada')).charge(20))?.message).toContain('has 10 of 100 left');
  });

  test('add up by the address of those without a token', async () => {
    const { costs } = start({ addressPerMinute: 10 });
    const nobody = { caller: anonymous, address: '192.0.2.1' };
    expect(await costs.accountOf(nobody).charge(10)).toBeUndefined();
    expect((await costs.accountOf(nobody).charge(1))?.message).toContain('this address has 0 of 10 left');
    expect(await costs.accountOf({ ...nobody, address: '192.0.2.2' }).charge(1)).toBeUndefined();
    expect(await costs.accountOf(party('ada')).charge(50)).toBeUndefined();
  });
});

describe('the actual cost', () => {
  const item = (parts: unknown[] = []) => ({ __typename: 'Item', id: '1', parts });
  test.each<[string, string, Record<string, unknown>, number]>([
    [
      'counts the items that there are',
      '{ many { parts { id } } }',
      { many: [item([item(), item()]), null, item()] },
      4,
    ],
    ['counts nothing for a null', '{ one { id } many { id } }', { one: null, many: null }, 0],
    [
      'has the weights of fields, arguments and types',
      '{ dear asked(deeply: true) { id } heavy { id } }',
      { dear: 1, asked: item(), heavy: { id: '1' } },
      50 + 5 + 9,
    ],
    ['has the weight of a leaf', '{ one { mood } }', { one: { mood: 'GOOD' } }, 3],
    [
      'goes by the type that an object has',
      '{ any { ... on Item { parts { id } } } }',
      { any: item([item()]) },
      2,
    ],
    ['of a mutation has that of its fields', 'mutation { change { id } }', { change: item() }, 11],
  ])('%s', (_what, query, root, cost) => {
    const document = parse(query);
    const operation = getOperationAST(document);
    const type = operation && schema.getRootType(operation.operation);
    if (!type) throw new Error('The document has several operations');
    const context = { schema, fragments: new Map(), variables: {}, separated: new Set<string>() };
    const selection = new Selection(context, [operation.selectionSet]);
    expect(compileActual({ schema, weights }, type, selection)(root)).toBe(cost);
  });
});
