import { beforeAll, describe, expect, test, vi } from 'vitest';
import { useFront } from '../helpers/front.ts';

const secret = 'let the operator see';
const federation = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])';
const query = 'query Pens($more: Boolean! = true) { pens { id count @include(if: $more) } }';

interface Answer {
  readonly data: object;
  readonly extensions?: {
    readonly queryPlan: {
      readonly text: string;
      readonly object: { readonly kind: string; readonly node: { readonly kind: string } };
      readonly fetches: readonly Record<string, unknown>[];
    };
  };
}

describe('a query plan', () => {
  const front = useFront({ env: { QUERY_PLAN_SECRET: secret } });

  async function ask(header: string | undefined, body: object = { query }): Promise<Answer> {
    const response = await fetch(front.graphUrl, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(header === undefined ? {} : { 'apollo-expose-query-plan': header }),
      },
      body: JSON.stringify(body),
    });
    return (await response.json()) as Answer;
  }

  beforeAll(async () => {
    const pens = await front.serve({
      name: 'pens',
      typeDefs: `${federation} type Query { pens: [Pen!]! } type Pen @key(fields: "id") { id: ID! }`,
      resolvers: { Query: { pens: () => [{ id: '1' }, { id: '2' }] } },
    });
    const stock = await front.serve({
      name: 'stock',
      typeDefs: `${federation} type Pen @key(fields: "id") { id: ID! count: Int }`,
      resolvers: { Pen: { count: () => 7 } },
    });
    for (const subgraph of [pens, stock]) await subgraph.register();
    await vi.waitFor(
      async () =>
        expect((await ask(undefined)).data).toEqual({ pens: [1, 2].map(id => ({ id: `${id}`, count: 7 })) }),
      10_000,
    );
  });

  test('is shown to whoever has the secret, with each fetch, also of an operation that is known', async () => {
    for (const _time of [1, 2]) {
      const { data, extensions } = await ask(secret);
      expect(data).toEqual({ pens: [1, 2].map(id => ({ id: `${id}`, count: 7 })) });
      const { text, object, fetches } = extensions?.queryPlan ?? { text: '', object: undefined, fetches: [] };
      expect(text).toMatch(/QueryPlan \{\s+Sequence \{\s+Fetch\(service: "pens"\)/);
      expect(object).toMatchObject({ kind: 'QueryPlan', node: { kind: 'Sequence' } });
      const request = {
        instance: expect.any(String) as string,
        operation: expect.any(String) as string,
        startMs: expect.any(Number) as number,
        durationMs: expect.any(Number) as number,
        requestBytes: expect.any(Number) as number,
        responseBytes: expect.any(Number) as number,
        status: 200,
      };
      expect(fetches).toEqual([
        { ...request, subgraph: 'pens', instance: '127.0.0.1:pens' },
        { ...request, subgraph: 'stock', instance: '127.0.0.1:stock', representations: 2 },
      ]);
      expect(fetches[1]?.['startMs']).toBeGreaterThanOrEqual(Number(fetches[0]?.['durationMs']));
    }
  });

  test('is that of the run, whose variables decide what is included', async () => {
    const { extensions } = await ask(secret, { query, variables: { more: false } });
    expect(extensions?.queryPlan.object.node.kind).toBe('Fetch');
    expect(extensions?.queryPlan.fetches.map(({ subgraph }) => subgraph)).toEqual(['pens']);
  });

  test.each([undefined, '', 'true', `${secret}!`])('is not shown to who sends %j', async header => {
    for (const _time of [1, 2]) expect(Object.keys(await ask(header))).toEqual(['data']);
  });
});
