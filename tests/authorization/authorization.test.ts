import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { useFront } from '../helpers/front.ts';

const federation = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9",
  import: ["@key", "@authenticated", "@requiresScopes", "@policy"])`;

const folder = await mkdtemp(join(tmpdir(), 'portico-policies-'));
const policiesFile = join(folder, 'policies.json');
await writeFile(policiesFile, JSON.stringify({ staff: { callers: ['boss'] } }));
afterAll(() => rm(folder, { recursive: true }));

const front = useFront({ env: { AUTHORIZATION_POLICIES_FILE: policiesFile } });
const asked: string[] = [];
beforeAll(async () => {
  const seen = (name: string, value: unknown) => () => {
    asked.push(name);
    return value;
  };
  const accounts = await front.serve({
    name: 'accounts',
    typeDefs: `${federation}
      type Query { me: Account }
      type Subscription { changed: Account secret: Int @authenticated }
      type Account @key(fields: "id") { id: ID! name: String email: String @authenticated
        balance: Int @requiresScopes(scopes: [["money:read"]]) risk: Int @policy(policies: [["staff"]]) }`,
    resolvers: {
      Query: { me: () => ({ id: '1' }) },
      Subscription: {
        changed: {
          async *subscribe() {
            yield { changed: { id: '1' } };
          },
        },
        secret: {
          async *subscribe() {
            yield { secret: 1 };
          },
        },
      },
      Account: {
        name: seen('name', 'Al'),
        email: seen('email', 'al@example.com'),
        balance: seen('balance', 5),
        risk: seen('risk', 1),
      },
    },
  });
  await accounts.register();
  await vi.waitFor(async () => expect((await front.supergraph()).subgraphs.length).toBe(1), {
    timeout: 10_000,
    interval: 50,
  });
});

async function ask(query: string, token?: string) {
  const response = await fetch(front.graphUrl, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token ? { authorization: `Bearer ${token}` } : {}),
    },
    body: JSON.stringify({ query }),
  });
  const body = (await response.json()) as {
    data: unknown;
    errors?: { message: string; path: unknown; extensions: { code: string } }[];
  };
  const errors = (body.errors ?? []).map(({ path, extensions }) => [path, extensions.code]);
  return { status: response.status, data: body.data, errors };
}

const query = '{ me { name email balance risk } }';

describe('a query', () => {
  test('of nobody gets what anybody may have, and nothing else is asked of the subgraph', async () => {
    for (let time = 0; time < 2; time += 1) {
      asked.length = 0;
      expect(await ask(query)).toEqual({
        status: 200,
        data: { me: { name: 'Al', email: null, balance: null, risk: null } },
        errors: ['email', 'balance', 'risk'].map(field => [['me', field], 'UNAUTHENTICATED']),
      });
      expect(asked).toEqual(['name']);
    }
  });

  test('of a customer gets what the scopes and the policies allow, also when the same was asked before', async () => {
    const reader = await front.keys.mintToken('alice', { scopes: ['money:read'] });
    expect(await ask(query, reader)).toEqual({
      status: 200,
      data: { me: { name: 'Al', email: 'al@example.com', balance: 5, risk: null } },
      errors: [[['me', 'risk'], 'FORBIDDEN']],
    });
    const boss = await front.keys.mintToken('boss');
    expect((await ask(query, boss)).data).toEqual({
      me: { name: 'Al', email: 'al@example.com', balance: null, risk: 1 },
    });
    expect((await ask(query)).data).toEqual({ me: { name: 'Al', email: null, balance: null, risk: null } });
  });
});

describe('a subscription', () => {
  function clientOf(token?: string) {
    const client = createClient({
      url: front.graphUrl.replace('http', 'ws'),
      webSocketImpl: WebSocket,
      connectionParams: token ? { authorization: `Bearer ${token}` } : {},
    });
    onTestFinished(() => client.dispose());
    return client;
  }

  test('has in each event what its caller may have', async () => {
    const subscription = 'subscription { changed { name email } }';
    asked.length = 0;
    const { value: theirs } = await clientOf().iterate({ query: subscription }).next();
    expect(theirs).toMatchObject({
      data: { changed: { name: 'Al', email: null } },
      errors: [{ path: ['changed', 'email'], extensions: { code: 'UNAUTHENTICATED' } }],
    });
    expect(asked).not.toContain('email');
    const token = await front.keys.mintToken('alice');
    const { value: mine } = await clientOf(token).iterate({ query: subscription }).next();
    expect(mine).toEqual({ data: { changed: { name: 'Al', email: 'al@example.com' } } });
  });

  test('that its caller may not have is refused', async () => {
    const refused = clientOf().iterate({ query: 'subscription { secret }' }).next();
    await expect(refused).rejects.toMatchObject([{ extensions: { code: 'UNAUTHENTICATED' } }]);
  });
});
