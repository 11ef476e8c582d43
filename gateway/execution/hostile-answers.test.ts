import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { readGraphqlAnswer } from '../../platform/graphql/answer.ts';
import { type Federation, startFederation } from '../testing/federation.ts';
import type { SubgraphAnswer } from './subgraph-answer.ts';

vi.setConfig({ testTimeout: 60_000 });

const pens = ['1', '2'].map(id => ({ __typename: 'Pen', id, name: `pen ${id}`, price: 3, tags: ['a'] }));
const stationery: Federation = {
  subgraphs: {
    pens: `
      interface Named { name: String }
      type Query { pens: [Pen!]! first: Named maybe: Pen }
      type Pen implements Named @key(fields: "id") { id: ID! name: String tags: [String!] }`,
    prices: 'type Pen @key(fields: "id") { id: ID! price: Int! } type Query { honest: String }',
  },
  world: {
    root: { pens, first: pens[0], maybe: pens[1], honest: 'yes' },
    entities: { Pen: pens },
  },
};
const query =
  '{ honest pens { id name price tags } first { __typename name } maybe { price again: price } also: maybe { price } }';

const key = fc.constantFrom(
  'pens',
  '_entities',
  'id',
  'name',
  '__typename',
  '__proto__',
  'constructor',
  'length',
  0,
  -1,
  1e9,
  0.5,
);
const anything = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom(
    'Pen',
    'Query',
    '__proto__',
    'constructor',
    { __typename: 'Pen' },
    { __typename: 'Named' },
    { __typename: { toString: 1 } },
    { length: 3 },
  ),
);
const error = fc.record(
  {
    message: fc.string(),
    path: fc.oneof(fc.array(key, { maxLength: 6 }), anything),
    extensions: fc.oneof(
      anything,
      fc.dictionary(fc.constantFrom('code', 'http', 'serviceName', '__proto__'), anything),
    ),
    locations: anything,
  },
  { requiredKeys: ['message'] },
);

/** Change of a subgraph's answer: something else in a place, or beside it. */
const change = fc.oneof(
  fc.record({
    kind: fc.constant('place' as const),
    at: fc.array(fc.nat(5), { maxLength: 6 }),
    value: anything,
  }),
  fc.record({
    kind: fc.constant('errors' as const),
    errors: fc.array(error, { minLength: 1, maxLength: 5 }),
  }),
  fc.record({ kind: fc.constant('data' as const), value: anything }),
  fc.record({ kind: fc.constant('extensions' as const), value: anything }),
);
type Change = typeof change extends fc.Arbitrary<infer Made> ? Made : never;

function put(value: unknown, [at, ...below]: readonly number[], replacement: unknown): unknown {
  if (at === undefined || typeof value !== 'object' || value === null) return replacement;
  const names = Object.keys(value);
  const name = names[at % Math.max(1, names.length)];
  if (name === undefined) return replacement;
  const copy = Array.isArray(value) ? ([...value] as unknown[]) : { ...value };
  (copy as Record<string, unknown>)[name] = put((value as Record<string, unknown>)[name], below, replacement);
  return copy;
}

function spoil(answer: SubgraphAnswer, made: Change): object {
  switch (made.kind) {
    case 'place':
      return { ...answer, data: put(answer.data, made.at, made.value) };
    case 'errors':
      return { ...answer, errors: made.errors };
    case 'data':
      return { ...answer, data: made.value };
    case 'extensions':
      return { ...answer, extensions: made.value };
  }
}

/** Reads an answer as it is read from an instance: of one that is none, there is an error. */
function read(answer: object): SubgraphAnswer {
  try {
    return readGraphqlAnswer(JSON.stringify(answer));
  } catch (reason) {
    return { errors: [{ message: (reason as Error).message }] };
  }
}

test('whatever a subgraph answers, the operation has an answer, and what others gave', async () => {
  let changes: readonly Change[] = [];
  const { ours, again, inParts } = await startFederation({
    ...stationery,
    intercept: async (subgraph, request, answer) =>
      request.query.includes('honest') && subgraph === 'prices'
        ? answer()
        : read(changes.reduce(spoil, await answer())),
  });
  expect(await ours(query)).toMatchObject({
    data: { pens: [{ price: 3 }, { price: 3 }], maybe: { again: 3 } },
  });
  const deferred = '{ honest pens { id ... @defer { name price } } maybe { ... @defer { tags } } }';
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async made => {
      changes = made;
      for (const result of [await ours(query), await again(query), await inParts(deferred)]) {
        if (result?.data) expect(result.data['honest']).toBe('yes');
        expect(result?.data !== undefined || (result?.errors?.length ?? 0) > 0).toBe(true);
        for (const { message } of result?.errors ?? [])
          expect(message).not.toMatch(/is not iterable|Cannot read|not a function|undefined/);
      }
    }),
    { numRuns: 200 },
  );
});

test('a type that is no name does no harm, also when two fetches wait for it', async () => {
  let asked = 0;
  const { ours } = await startFederation({
    ...stationery,
    intercept: async (subgraph, { query: document }, answer) => {
      if (subgraph !== 'prices' || document.includes('honest')) return answer();
      asked += 1;
      return read({ data: { _entities: [{ __typename: { toString: 1 }, price: 4 }] } });
    },
  });
  const result = await ours('{ first { ... on Pen { price } } maybe { price } }');
  expect(asked).toBeGreaterThan(0);
  expect(result.data !== undefined || (result.errors?.length ?? 0) > 0).toBe(true);
});

test.each([-1, 0.5, 7, '0'])('an error of an entity with the index %j is told', async index => {
  const { ours } = await startFederation({
    ...stationery,
    intercept: async (subgraph, _request, answer) =>
      subgraph === 'prices'
        ? { ...(await answer()), errors: [{ message: 'lost', path: ['_entities', index, 'price'] }] }
        : answer(),
  });
  const { errors } = await ours('{ pens { price } }');
  expect(errors?.map(({ message }) => message)).toEqual(['lost']);
});

test('many errors of an entity that stands at many places take no time', async () => {
  const rows = Array.from({ length: 3_000 }, (_, id) => ({ __typename: 'Line', id, pen: pens[0] }));
  const errors = Array.from({ length: 300 }, () => ({ message: 'x', path: ['_entities', 0, 'price'] }));
  const { ours } = await startFederation({
    subgraphs: {
      lines:
        'type Query { lines: [Line] } type Line { id: ID! pen: Pen } type Pen @key(fields: "id") { id: ID! }',
      prices: 'type Pen @key(fields: "id") { id: ID! price: Int }',
    },
    world: { root: { lines: rows }, entities: { Pen: pens } },
    intercept: async (subgraph, _request, answer) =>
      subgraph === 'prices' ? { data: { _entities: [{ price: null }] }, errors } : answer(),
  });
  const startedAt = performance.now();
  const result = await ours('{ lines { pen { price } } }');
  expect(result.errors).toHaveLength(1_001);
  expect(result.errors?.at(-1)?.message).toBe(
    `${300 * 3_000 - 1_000} more errors are left out; an answer has at most 1000 (OPERATION_MAX_ERRORS)`,
  );
  expect(performance.now() - startedAt).toBeLessThan(3_000);
});

test('an error whose place has no end, and more errors than are told, take no time', async () => {
  let errors: unknown[] = [];
  const { ours } = await startFederation({
    ...stationery,
    intercept: async (_subgraph, _request, answer) => ({ ...(await answer()), errors: errors as [] }),
  });
  for (const given of [
    [{ message: 'a', path: Array.from({ length: 100_000 }, () => 'pens') }],
    Array.from({ length: 50_000 }, () => ({ message: 'a' })),
  ]) {
    errors = given;
    const startedAt = performance.now();
    const result = await ours(query);
    expect(result.data).toMatchObject({ honest: 'yes' });
    expect(result.errors?.length).toBeLessThanOrEqual(1_001);
    expect(performance.now() - startedAt).toBeLessThan(3_000);
  }
});
