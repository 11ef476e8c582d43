import { parse } from 'graphql';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Caller } from '../../platform/caller.ts';
import { silentLog } from '../../platform/log.ts';
import type { SubgraphRequest } from '../execution/subgraph-answer.ts';
import { passHeaders } from '../header-rules.ts';
import { anonymous, type OperationCaller } from '../security/operation-caller.ts';
import { compose } from '../supergraph/composition/compose.ts';
import { createGraph, type Graph } from '../supergraph/graph/graph.ts';
import { Turn } from '../turn.ts';
import { createAuthorization } from './authorization.ts';
import { policiesByRules } from './policies.ts';
import { takeRequirements } from './requirements.ts';

const link = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9",
  import: ["@key", "@requires", "@external", "@authenticated", "@requiresScopes", "@policy"])`;

const subgraphs = [
  {
    name: 'users',
    hash: '1',
    sdl: `${link}
      type Query { me: User users: [User] hello: String secret: String! @authenticated node: Node any: Any
        money: Money card: Card mood: Mood vault: Vault }
      interface Node { id: ID! }
      type User implements Node @key(fields: "id") { id: ID! name: String email: String @requiresScopes(scopes: [["read", "email"], ["all"]])
        age: Int @authenticated rank: Int @policy(policies: [["staff"], ["vip", "old"]]) boss: User best: Person }
      type Vault @policy(policies: [["staff"]]) { id: ID! }
      interface Person { nick: String }
      type Actor implements Person { nick: String @authenticated fame: Int }
      union Any = Card | Actor
      type Card @authenticated { number: String }
      scalar Money @authenticated
      enum Mood @requiresScopes(scopes: [["mood"]]) { GOOD }`,
  },
  {
    name: 'ratings',
    hash: '1',
    sdl: `${link} type User @key(fields: "id") { id: ID! email: String @external
      rating: Int @requires(fields: "email") @requiresScopes(scopes: [["read", "email"], ["all"]])
      badge: String @authenticated }`,
  },
];

const user = (id: string): Record<string, unknown> => ({
  __typename: 'User',
  id,
  name: `name ${id}`,
  email: `${id}@example.com`,
  age: 40,
  rank: 7,
});
const data: Record<string, unknown> = {
  me: { ...user('1'), boss: user('2'), best: { __typename: 'Actor', nick: 'Al', fame: 3 } },
  users: [user('1'), user('2')],
  hello: 'hello',
  secret: 'secret',
  node: user('3'),
  any: { __typename: 'Card', number: '4242' },
  money: '5 EUR',
  card: { number: '4242' },
  mood: 'GOOD',
  vault: { id: '9' },
};

function customer(scopes: readonly string[], id = 'alice'): OperationCaller {
  const caller: Caller = { kind: 'customer', id, scopes };
  return { caller, key: JSON.stringify([id, scopes]), token: () => Promise.resolve(undefined) };
}

async function start({ rejects = false } = {}) {
  const outcome = compose(subgraphs);
  if (outcome.kind === 'failed') throw new Error(outcome.faults.map(({ message }) => message).join('\n'));
  const asked: SubgraphRequest[] = [];
  const graph = await createGraph({
    supergraphSdl: outcome.supergraphSdl,
    subgraphs,
    maxPlans: 100,
    log: silentLog,
    authorization: createAuthorization({
      policies: policiesByRules({ staff: { callers: ['boss'] }, vip: true, old: { scopes: [['old']] } }),
      rejects,
    }),
    clientOf:
      ({ name }) =>
      request => {
        asked.push(request);
        if (name === 'users') return Promise.resolve({ data: JSON.parse(JSON.stringify(data)) });
        const { representations } = JSON.parse(request.body).variables;
        const entities = representations.map(() => ({ __typename: 'User', rating: 5, badge: 'gold' }));
        return Promise.resolve({ data: { _entities: entities } });
      },
  });
  onTestFinished(() => graph.close());
  return { graph, asked, ask: askerOf(graph) };
}

function askerOf(graph: Graph) {
  return async (query: string, caller: OperationCaller = anonymous) => {
    const operation = graph.compiled({ document: parse(query), queryHash: query, operationName: undefined });
    const context = {
      caller,
      address: '',
      turn: new Turn(),
      headers: passHeaders({ toSubgraphs: [], toClients: [] }, {}),
    };
    if (!operation) throw new Error('The document has several operations');
    const request = graph.requestFor(operation.kind, {}, context);
    const result = await operation.run(request);
    const written = await operation.write(request);
    const text = written instanceof Uint8Array ? written.toString() : JSON.stringify(written);
    const plain = JSON.parse(JSON.stringify(result));
    expect(JSON.parse(text).data).toEqual(plain.data);
    return plain as {
      data?: unknown;
      errors?: { message: string; path?: unknown; extensions: { code: string } }[];
    };
  };
}

describe('a field that asks for more than its caller has', () => {
  const all = customer(['read', 'email', 'mood', 'old']);
  test.each<[string, string, OperationCaller, unknown, unknown[]]>([
    [
      'needs a caller',
      '{ me { name age } }',
      anonymous,
      { me: { name: 'name 1', age: null } },
      [['UNAUTHENTICATED', 'me.age']],
    ],
    ['is there for a caller', '{ me { name age } }', customer([]), { me: { name: 'name 1', age: 40 } }, []],
    [
      'needs all scopes of a list',
      '{ me { email } }',
      customer(['read']),
      { me: { email: null } },
      [['FORBIDDEN', 'me.email']],
    ],
    ['is there for all scopes of a list', '{ me { email } }', all, { me: { email: '1@example.com' } }, []],
    [
      'is there for those of another list',
      '{ me { email } }',
      customer(['all']),
      { me: { email: '1@example.com' } },
      [],
    ],
    ['needs a policy', '{ me { rank } }', customer([]), { me: { rank: null } }, [['FORBIDDEN', 'me.rank']]],
    ['is there by a policy for a caller', '{ me { rank } }', customer([], 'boss'), { me: { rank: 7 } }, []],
    ['is there by two policies together', '{ me { rank } }', all, { me: { rank: 7 } }, []],
    ['under an alias', '{ me { y: age } }', anonymous, { me: { y: null } }, [['UNAUTHENTICATED', 'me.y']]],
    [
      'in a fragment',
      '{ me { ...F } } fragment F on User { ... { age } }',
      anonymous,
      { me: { age: null } },
      [['UNAUTHENTICATED', 'me.age']],
    ],
    [
      'in each item of a list',
      '{ users { age } }',
      anonymous,
      { users: [{ age: null }, { age: null }] },
      [
        ['UNAUTHENTICATED', 'users.0.age'],
        ['UNAUTHENTICATED', 'users.1.age'],
      ],
    ],
    [
      'that is not nullable nulls its parent',
      '{ secret hello }',
      anonymous,
      null,
      [['UNAUTHENTICATED', 'secret']],
    ],
    [
      'by the type of its value',
      '{ hello card { number } }',
      anonymous,
      { hello: 'hello', card: null },
      [['UNAUTHENTICATED', 'card']],
    ],
    ['by its scalar', '{ money }', anonymous, { money: null }, [['UNAUTHENTICATED', 'money']]],
    ['by its enum', '{ mood }', customer([]), { mood: null }, [['FORBIDDEN', 'mood']]],
    ['by its enum, with the scope', '{ mood }', all, { mood: 'GOOD' }, []],
    ['by a policy on its type', '{ vault { id } }', all, { vault: null }, [['FORBIDDEN', 'vault']]],
    [
      'by a type in a fragment on a union',
      '{ any { ... on Card { number } } }',
      anonymous,
      { any: { number: null } },
      [['UNAUTHENTICATED', 'any.number']],
    ],
    [
      'of an interface, because an implementation asks for it',
      '{ me { best { nick } } }',
      anonymous,
      { me: { best: { nick: null } } },
      [['UNAUTHENTICATED', 'me.best.nick']],
    ],
    [
      'of another subgraph',
      '{ me { badge } }',
      anonymous,
      { me: { badge: null } },
      [['UNAUTHENTICATED', 'me.badge']],
    ],
    ['that requires another one', '{ me { rating } }', customer(['all']), { me: { rating: 5 } }, []],
  ])('%s', async (_what, query, caller, expected, errors) => {
    const { ask } = await start();
    const result = await ask(query, caller);
    expect(result.data).toEqual(expected);
    const places = (result.errors ?? []).map(({ path, extensions }) => [
      extensions.code,
      (path as string[]).join('.'),
    ]);
    expect(places).toEqual(errors);
  });

  test('is not asked of its subgraph, and leaves the others', async () => {
    const { ask, asked } = await start();
    await ask('{ me { name age badge } }');
    expect(asked.map(({ query }) => query).join()).not.toMatch(/age|badge/);
    expect(asked[0]?.query).toContain('name');
  });

  test('is there where another selection of the same field may be had', async () => {
    const { ask } = await start();
    const result = await ask('{ me { best { nick ... on Actor { fame } } } hello }', customer([]));
    expect(result).toEqual({ data: { me: { best: { nick: 'Al', fame: 3 } }, hello: 'hello' } });
  });

  test('lets the whole operation be refused where that is set', async () => {
    const { ask, asked } = await start({ rejects: true });
    const result = await ask('{ hello me { age } }');
    expect(result.data).toBeUndefined();
    expect(result.errors).toMatchObject([{ extensions: { code: 'UNAUTHENTICATED', http: { status: 401 } } }]);
    expect(asked).toEqual([]);
    expect(await ask('{ hello }')).toEqual({ data: { hello: 'hello' } });
  });
});

describe('the requirements of a supergraph', () => {
  test('are read under the names that it links them by, and are taken out of it', () => {
    const sdl = `schema @link(url: "https://specs.apollo.dev/link/v1.0")
        @link(url: "https://specs.apollo.dev/authenticated/v0.1", as: "signedIn", for: SECURITY) { query: Query }
      directive @signedIn on FIELD_DEFINITION
      type Query { a: Int @signedIn b: Int }`;
    const { supergraphSdl, requirements } = takeRequirements(sdl);
    expect(requirements?.ofField('Query', 'a')).toEqual([0]);
    expect(requirements?.ofField('Query', 'b')).toEqual([]);
    expect(supergraphSdl).not.toContain('signedIn');
  });

  test('of features that are not known stay, so that the supergraph is refused', () => {
    const sdl = `schema @link(url: "https://evil.example/lock/v1.0", for: SECURITY) { query: Query } type Query { a: Int }`;
    expect(takeRequirements(sdl)).toEqual({ supergraphSdl: sdl, requirements: undefined });
    const newer = sdl.replace(
      'https://evil.example/lock/v1.0',
      'https://specs.apollo.dev/authenticated/v0.2',
    );
    expect(takeRequirements(newer).supergraphSdl).toBe(newer);
  });
});
