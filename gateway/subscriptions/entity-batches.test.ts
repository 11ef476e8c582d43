import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import type { FetchFromSubgraph, SubgraphAnswer, SubgraphRequest } from '../execution/subgraph-answer.ts';
import { EntityBatches } from './entity-batches.ts';

function requestFor(representations: readonly string[], query = '{ name }'): SubgraphRequest {
  const head = `{"query":${JSON.stringify(query)},"variables":{"first":2,"representations":`;
  return { query, isMutation: false, representations, body: `${head}[${representations.join(',')}]}}` };
}

function askedIn(body: string): readonly { id: number }[] {
  return (JSON.parse(body) as { variables: { representations: { id: number }[] } }).variables.representations;
}

/** Answers each entity by its id: those that are divisible by 5 with null, those by 3 with an error besides. */
const subgraph = vi.fn<FetchFromSubgraph>(async (_name, { body }) => {
  const asked = askedIn(body);
  const errors = asked.flatMap(({ id }, index) =>
    id % 3 === 0 ? [{ message: `${id}`, path: ['_entities', index, 'name'] }] : [],
  );
  return {
    data: { _entities: asked.map(({ id }) => (id % 5 === 0 ? null : { id, tags: [`tag ${id}`] })) },
    errors,
    extensions: undefined,
  };
});

const text = (id: number) => JSON.stringify({ __typename: 'Pen', id });
const ids = fc.uniqueArray(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 6 });

describe('fetches of entities that are begun at the same time', () => {
  test('get what each would get by itself, in one request that asks for each entity once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(ids, { minLength: 1, maxLength: 8 }), async fetches => {
        subgraph.mockClear();
        const requests = fetches.map(each => requestFor(each.map(text)));
        const batches = new EntityBatches();
        const answers = await Promise.all(requests.map(each => batches.batched(subgraph)('pens', each)));
        expect(subgraph).toHaveBeenCalledTimes(1);
        const asked = askedIn(subgraph.mock.calls[0]?.[1].body ?? '').map(({ id }) => id);
        expect(asked).toEqual([...new Set(fetches.flat())]);
        expect(answers).toEqual(await Promise.all(requests.map(each => subgraph('pens', each))));
      }),
    );
  });

  test('have data of their own', async () => {
    const batches = new EntityBatches();
    const fetch = batches.batched(subgraph);
    const [one, other] = await Promise.all(['pens', 'pens'].map(name => fetch(name, requestFor([text(1)]))));
    const before = structuredClone(other?.data);
    const [entity] = (one?.data?.['_entities'] ?? []) as { tags: string[] }[];
    entity?.tags.push('changed');
    expect(one?.data).not.toEqual(before);
    expect(other?.data).toEqual(before);
  });

  test.each([
    ['no answer', { data: null, errors: [{ message: 'away' }] }, 'away'],
    ['no list', { data: { _entities: 'none' } }, 'no list of entities (string) where 2 were asked for'],
    // By itself, each fetch would take it.
    ['too few entities', { data: { _entities: [{ id: 1 }] } }, '1 entities where 2 were asked for'],
  ])('are all told of %s', async (_what, answer, message) => {
    const fetch = new EntityBatches().batched(() => Promise.resolve(answer));
    const answers = await Promise.all([1, 2].map(id => fetch('pens', requestFor([text(id)]))));
    for (const { data, errors } of answers) {
      expect(data).toBeNull();
      expect(errors).toEqual([
        expect.objectContaining({ message: expect.stringContaining(message) as string }),
      ]);
    }
  });

  test('are each told of the errors of their entities when there are no entities', async () => {
    const errors = [{ message: 'broken', path: ['_entities', 1, 'name'] }];
    const fetch = new EntityBatches().batched(() => Promise.resolve({ data: null, errors }));
    const answers = await Promise.all([1, 2].map(id => fetch('pens', requestFor([text(id)]))));
    expect(answers.map(answer => answer.errors)).toEqual([
      [expect.objectContaining({ message: expect.stringContaining('no list of entities') as string })],
      [{ message: 'broken', path: ['_entities', 0, 'name'] }],
    ]);
  });

  test('get an answer whatever the subgraph says', async () => {
    const path = fc.array(fc.oneof(fc.constantFrom('_entities', 'name'), fc.integer(), fc.double()));
    const answer = fc.record(
      {
        data: fc.oneof(
          fc.constant(null),
          fc.record({ _entities: fc.oneof(fc.array(fc.jsonValue()), fc.jsonValue()) }),
        ),
        errors: fc.array(fc.record({ message: fc.string(), path: fc.oneof(path, fc.jsonValue()) })),
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(answer, async given => {
        const fetch = new EntityBatches().batched(() => Promise.resolve(given as SubgraphAnswer));
        const answers = await Promise.all([1, 2].map(id => fetch('pens', requestFor([text(id)]))));
        for (const { data, errors = [] } of answers)
          if (data) expect(data['_entities']).toHaveLength(1);
          else expect(errors).not.toHaveLength(0);
        // An error is told to those that it may concern.
        const told = new Set(
          answers.flatMap(({ errors = [] }) => errors?.map(({ message }) => message) ?? []),
        );
        for (const { message } of given.errors ?? []) expect(told).toContain(message);
      }),
    );
  });
});

test('fetches of other documents, of other subgraphs, of root fields and of later events are for themselves', async () => {
  subgraph.mockClear();
  const batches = new EntityBatches();
  const fetch = batches.batched(subgraph);
  const root = { ...requestFor([text(9)]), representations: undefined };
  await Promise.all([
    fetch('pens', requestFor([text(1)])),
    fetch('pens', requestFor([text(2)], '{ price }')),
    fetch('prices', requestFor([text(3)])),
    fetch('pens', root),
  ]);
  await fetch('pens', requestFor([text(4)]));
  const asked = subgraph.mock.calls.map(([, { body }]) => askedIn(body).map(({ id }) => id));
  expect(asked).toHaveLength(5);
  expect(asked).toEqual(expect.arrayContaining([[1], [2], [3], [4], [9]]));
});

test('a request that can not be made fails its fetches', async () => {
  const fetch = new EntityBatches().batched(() => {
    throw new Error('no such subgraph');
  });
  const outcomes = await Promise.allSettled([1, 2].map(id => fetch('pens', requestFor([text(id)]))));
  for (const outcome of outcomes)
    expect(outcome).toMatchObject({ status: 'rejected', reason: { message: 'no such subgraph' } });
});

test('of many errors, each fetch is told a bounded number', async () => {
  const errors = Array.from({ length: 50_000 }, (_error, index) => ({
    message: 'broken',
    path: index % 2 === 0 ? ['_entities', 0] : undefined,
  }));
  const data = { _entities: [null] };
  const fetch = new EntityBatches().batched(async () => ({ data, errors }) as SubgraphAnswer);
  const all = Array.from({ length: 200 }, () => fetch('pens', requestFor([text(1)])));
  for (const answer of await Promise.all(all)) expect(answer.errors).toHaveLength(2_000);
});

test('a request has a bounded number of entities', async () => {
  subgraph.mockClear();
  const fetch = new EntityBatches().batched(subgraph);
  const each = Array.from({ length: 400 }, (_entity, index) => index + 1);
  const requests = [0, 400, 800].map(from => requestFor(each.map(id => text(from + id))));
  await Promise.all(requests.map(request => fetch('pens', request)));
  expect(subgraph.mock.calls.map(([, { representations }]) => representations?.length)).toEqual([800, 400]);
});
