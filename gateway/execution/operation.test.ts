import { describe, expect, test } from 'vitest';
import { type ClientResult, type Federation, startFederation } from '../testing/federation.ts';
import { maxPathsPerFailure } from './failures.ts';
import type { SubgraphAnswer } from './subgraph-answer.ts';

const users = [
  { __typename: 'User', id: '1', name: 'Ada', email: 'ada@example.org', boss: undefined as unknown },
  { __typename: 'User', id: '2', name: 'Bob', email: null, boss: undefined },
];
(users[1] as { boss: unknown }).boss = users[0];

/** Users of one subgraph, whose profile is of another. */
const people: Federation = {
  subgraphs: {
    accounts: `
      type Query { users: [User!]! me: User }
      type User @key(fields: "id") { id: ID! boss: User }`,
    profiles: 'type User @key(fields: "id") { id: ID! name: String! email: String }',
  },
  world: { root: { users, me: users[0] }, entities: { User: users } },
};

const errorsOf = ({ errors = [] }: ClientResult) =>
  errors.map(({ message, path, extensions }) => ({ message, path, subgraph: extensions?.['serviceName'] }));

describe('a field that no subgraph gave', () => {
  const nobody: Federation = {
    ...people,
    intercept: (subgraph, { body }, answer) => {
      const { variables } = JSON.parse(body) as { variables: { representations: readonly unknown[] } };
      const asked = variables.representations;
      return subgraph === 'profiles'
        ? Promise.resolve({ data: { _entities: asked.map(() => null) } })
        : answer();
    },
  };

  test('is an error at its place when it is non-null, and null otherwise', async () => {
    const { ours } = await startFederation(nobody);
    const result = await ours('{ users { email } list: users { boss { n: name } } }');
    expect(result.data).toEqual({
      users: [{ email: null }, { email: null }],
      list: [{ boss: null }, { boss: null }],
    });
    expect(errorsOf(result)).toEqual([
      {
        message: 'Cannot return null for non-nullable field User.name.',
        path: ['list', 1, 'boss', 'n'],
        subgraph: undefined,
      },
    ]);
  });
});

describe('an error of a subgraph', () => {
  const failing = (path: (string | number)[] | undefined): Federation => ({
    ...people,
    intercept: async (subgraph, _request, answer) => {
      const given = await answer();
      return subgraph === 'profiles'
        ? { ...given, errors: [{ message: 'kaput', ...(path ? { path } : {}) }] }
        : given;
    },
  });

  test("has the client's path: aliases, indices, and the place of the entity", async () => {
    const { ours } = await startFederation(failing(['_entities', 1, 'mail']));
    const result = await ours('{ people: users { mail: email } }');
    expect(errorsOf(result)).toEqual([
      { message: 'kaput', path: ['people', 1, 'mail'], subgraph: 'profiles' },
    ]);
  });

  test('stands at each place of an entity that was asked for once', async () => {
    const { ours } = await startFederation(failing(['_entities', 0, 'email']));
    const result = await ours('{ me { email } users { boss { email } } }');
    expect(errorsOf(result).map(({ path }) => path)).toEqual([
      ['me', 'email'],
      ['users', 1, 'boss', 'email'],
    ]);
  });

  test('without a path is told once when everything is there', async () => {
    const { ours } = await startFederation(failing(undefined));
    const result = await ours('{ users { name } }');
    expect(result.data).toEqual({ users: [{ name: 'Ada' }, { name: 'Bob' }] });
    expect(errorsOf(result)).toEqual([{ message: 'kaput', path: undefined, subgraph: 'profiles' }]);
  });
});

describe('a fetch that fails as a whole', () => {
  const unreachable: Federation = {
    ...people,
    intercept: (subgraph, _request, answer) =>
      subgraph === 'profiles'
        ? Promise.resolve({
            data: null,
            errors: [{ message: 'gone', extensions: { code: 'SUBGRAPH_UNAVAILABLE' } }],
          })
        : answer(),
  };

  test('is an error at each field that it left null', async () => {
    const { ours } = await startFederation(unreachable);
    const result = await ours('{ users { id mail: email } me { name } }');
    expect(result.data).toEqual({
      users: [
        { id: '1', mail: null },
        { id: '2', mail: null },
      ],
      me: null,
    });
    expect(errorsOf(result)).toEqual([
      { message: 'gone', path: ['users', 0, 'mail'], subgraph: 'profiles' },
      { message: 'gone', path: ['users', 1, 'mail'], subgraph: 'profiles' },
      { message: 'gone', path: ['me', 'name'], subgraph: 'profiles' },
    ]);
  });

  test('is told at a bounded number of places, with the number of the others', async () => {
    const many = Array.from({ length: 50 }, (_, id) => ({ __typename: 'User', id: String(id), email: 'e' }));
    const { ours } = await startFederation({
      ...unreachable,
      world: { root: { users: many }, entities: { User: many } },
    });
    const errors = errorsOf(await ours('{ users { email } }'));
    expect(errors).toHaveLength(maxPathsPerFailure + 1);
    expect(errors.at(-1)).toEqual({
      message: `gone (and ${50 - maxPathsPerFailure} more fields)`,
      path: undefined,
      subgraph: 'profiles',
    });
  });

  test('takes root fields along', async () => {
    const { ours } = await startFederation({
      ...people,
      intercept: () => Promise.resolve({ data: null, errors: [{ message: 'gone' }] }),
    });
    const result = await ours('{ me { name } again: me { id } }');
    expect(result.data).toEqual({ me: null, again: null });
    expect(errorsOf(result).map(({ path }) => path)).toEqual([['me'], ['again']]);
  });
});

test.each([
  ['null', { _entities: null }],
  ['too short', { _entities: [] }],
  ['too long', { _entities: [null, null, null] }],
  ['no list', { _entities: 'x' }],
  ['left out', {}],
])('_entities that is %s is an error of the subgraph', async (_what, data) => {
  const { ours } = await startFederation({
    ...people,
    intercept: (subgraph, _request, answer) =>
      subgraph === 'profiles' ? Promise.resolve({ data }) : answer(),
  });
  const result = await ours('{ users { email } }');
  expect(errorsOf(result).map(({ path, subgraph }) => ({ path, subgraph }))).toEqual([
    { path: ['users', 0, 'email'], subgraph: 'profiles' },
    { path: ['users', 1, 'email'], subgraph: 'profiles' },
  ]);
});

test.each([{ errors: null }, { errors: [] }])('%j means that there are none', async none => {
  const { ours } = await startFederation({
    ...people,
    intercept: async (_subgraph, _request, answer) => ({ ...(await answer()), ...none }),
  });
  expect(await ours('{ me { name } }')).toEqual({ data: { me: { name: 'Ada' } } });
});

test.each(['query A { me { id } } query B { me { id } }', 'query A { me { id } }'])(
  'a document without the operation that is meant is refused: %s',
  async query => {
    const { ours } = await startFederation(people);
    const { data, errors } = await ours(query, {}, query.includes('B') ? undefined : 'C');
    expect(data).toBeUndefined();
    expect(errors?.[0]?.extensions?.['code']).toBe('OPERATION_RESOLUTION_FAILURE');
  },
);

test('a fetch that the selected object does not need is not made, and is no error', async () => {
  const song = { __typename: 'Song', id: 's1', rating: 5 };
  const { ours } = await startFederation({
    subgraphs: {
      a: `type Query { first: Node } interface Node { id: ID! owner: Node }
        type Book implements Node @key(fields: "id") { id: ID! owner: Node }
        type Song implements Node @key(fields: "id") { id: ID! owner: Node }`,
      b: 'type Song @key(fields: "id") { id: ID! rating: Int }',
    },
    world: {
      root: { first: { __typename: 'Book', id: 'b1', owner: song } },
      entities: { Song: [song] },
    },
  });
  // The plan asks for the rating at first.owner, whose key is fetched below a song only.
  const query = '{ first { owner { __typename } ... on Song { owner { ... on Song { rating } } } } }';
  expect(await ours(query)).toEqual({ data: { first: { owner: { __typename: 'Song' } } } });
});

test('a type that the schema does not have at a place is an error, and null', async () => {
  const { ours } = await startFederation({
    subgraphs: {
      a: 'type Query { node: Node } interface Node { id: ID! } type Real implements Node { id: ID! }',
    },
    world: { root: { node: { __typename: 'Real', id: '1' } }, entities: {} },
    intercept: () => Promise.resolve({ data: { node: { __typename: 'Node', id: '1' } } }),
  });
  const result = await ours('{ node { id __typename } }');
  expect(result.data).toEqual({ node: null });
  expect(errorsOf(result).map(({ path }) => path)).toEqual([['node']]);
});

test.each([
  ['Int', 'x'],
  ['Int', 2 ** 40],
  ['Boolean', 'true'],
  ['String', 5],
  ['[Int]', 5],
  ['Color', 'BLUE'],
])('%s that is %j is an error, and null', async (type, value) => {
  const { ours } = await startFederation({
    subgraphs: { a: `type Query { field: ${type} other: Int } enum Color { RED }` },
    world: { root: {}, entities: {} },
    intercept: () => Promise.resolve({ data: { field: value, other: 1 } }),
  });
  const result = await ours('{ field other }');
  expect(result.data).toEqual({ field: null, other: 1 });
  expect(errorsOf(result).map(({ path }) => path)).toEqual([['field']]);
});

test('introspection, aliases of it, and __typename are answered beside data', async () => {
  const { ours, plain } = await startFederation(people);
  const query = `query ($name: String!) {
    kind: __typename t: __type(name: $name) { name ...F } __schema { queryType { name } } me { __typename id }
  } fragment F on __Type { fields { name } }`;
  expect(await ours(query, { name: 'User' })).toEqual(await plain(query, { name: 'User' }));
});

test('fields that are named as those of every object are fields like others', async () => {
  const row = { __typename: 'T', constructor: 'c', id: '1' };
  const { ours } = await startFederation({
    subgraphs: {
      a: 'type Query { t: T } type T @key(fields: "id") { id: ID! }',
      b: 'type T @key(fields: "id") { id: ID! constructor: String toString: String }',
    },
    world: { root: { t: row }, entities: { T: [row] } },
    intercept: (subgraph, _request, answer) =>
      subgraph === 'b'
        ? Promise.resolve({ data: { _entities: [{ constructor: 'c', toString: null }] } })
        : answer(),
  });
  expect(await ours('{ t { constructor toString __proto__: id } }')).toEqual({
    data: JSON.parse('{"t":{"constructor":"c","toString":null,"__proto__":"1"}}'),
  });
});

describe('entities that several places of a query need', () => {
  /** Requests to the subgraph `profiles`, each with the ids that it asks for. */
  function recorded(federation: Federation, change?: (answer: SubgraphAnswer) => SubgraphAnswer) {
    const asked: string[][] = [];
    const running = startFederation({
      ...federation,
      async intercept(subgraph, { body }, answer) {
        if (subgraph !== 'profiles') return answer();
        const { variables } = JSON.parse(body) as { variables: { representations: { id: string }[] } };
        asked.push(variables.representations.map(({ id }) => id));
        return change?.(await answer()) ?? answer();
      },
    });
    return { asked, running };
  }

  test('are asked for once', async () => {
    const { asked, running } = recorded(people);
    const { ours } = await running;
    expect(await ours('query Names { me { name } users { name boss { name } } }')).toEqual({
      data: {
        me: { name: 'Ada' },
        users: [
          { name: 'Ada', boss: null },
          { name: 'Bob', boss: { name: 'Ada' } },
        ],
      },
    });
    expect(asked).toEqual([['1', '2']]);
  });

  test('are asked for again where other fields of them are needed', async () => {
    const { asked, running } = recorded(people);
    const { ours } = await running;
    await ours('{ me { name } users { name email } }');
    expect(asked).toEqual([['1'], ['1', '2']]);
  });

  test('have the error of their request at each place', async () => {
    const { running } = recorded(people, () => ({ data: null, errors: [{ message: 'gone' }] }));
    const { ours } = await running;
    const result = await ours('{ me { email } users { email } }');
    expect(errorsOf(result).map(({ path }) => path)).toEqual([
      ['me', 'email'],
      ['users', 0, 'email'],
      ['users', 1, 'email'],
    ]);
  });

  test('have objects of their own where the places ask for different fields of those', async () => {
    const team = { __typename: 'Team', id: 't1', name: 'Kernel', motto: 'Go' };
    const rows = users.map(user => ({ ...user, team, boss: null }));
    const { ours } = await startFederation({
      subgraphs: {
        accounts: `type Query { me: User users: [User] } type User @key(fields: "id") { id: ID! }`,
        profiles: `type User @key(fields: "id") { id: ID! team: Team } type Team @key(fields: "id") { id: ID! }`,
        teams: 'type Team @key(fields: "id") { id: ID! name: String motto: String }',
      },
      world: { root: { me: rows[0], users: rows }, entities: { User: rows, Team: [team] } },
    });
    expect(await ours('{ me { team { x: name } } users { team { x: motto } } }')).toEqual({
      data: {
        me: { team: { x: 'Kernel' } },
        users: [{ team: { x: 'Go' } }, { team: { x: 'Go' } }],
      },
    });
  });
});

test('what a mutation has changed is asked for again after it', async () => {
  const row = { __typename: 'User', id: '1', name: 'Ada' };
  const rename = ({ to }: { to: string }) => {
    row.name = to;
    return row;
  };
  const user = 'type User @key(fields: "id") { id: ID! }';
  const { ours } = await startFederation({
    subgraphs: {
      accounts: `type Query { me: User } type Mutation { rename(to: String!): User } ${user}`,
      admin: `type Mutation { rechristen(to: String!): User } ${user}`,
      profiles: 'type User @key(fields: "id") { id: ID! name: String }',
    },
    world: { root: { me: row, rename, rechristen: rename }, entities: { User: [row] } },
  });
  const result = await ours('mutation { a: rename(to: "B") { name } b: rechristen(to: "C") { name } }');
  expect(result).toEqual({ data: { a: { name: 'B' }, b: { name: 'C' } } });
});

test('equal objects of a list are one entity, and each has its own error', async () => {
  const stock = { __typename: 'Product', upc: 'p1', inStock: new Error('unknown') as unknown };
  const lines = ['1', '2'].map(id => ({ __typename: 'Line', id, product: stock }));
  const { ours } = await startFederation({
    subgraphs: {
      orders:
        'type Query { lines: [Line] } type Line { id: ID! product: Product } type Product @key(fields: "upc") { upc: ID! }',
      inventory: 'type Product @key(fields: "upc") { upc: ID! inStock: Boolean }',
    },
    keys: { Product: ['upc'] },
    world: { root: { lines }, entities: { Product: [stock] } },
  });
  const result = await ours('{ lines { id product { inStock } } }');
  expect(result.data).toEqual({
    lines: [
      { id: '1', product: { inStock: null } },
      { id: '2', product: { inStock: null } },
    ],
  });
  expect(errorsOf(result).map(({ path }) => path)).toEqual([
    ['lines', 0, 'product', 'inStock'],
    ['lines', 1, 'product', 'inStock'],
  ]);
});
