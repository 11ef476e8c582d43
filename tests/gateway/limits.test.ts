import { getIntrospectionQuery } from 'graphql';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { createGraphClient } from '../../dev/graph-client.ts';
import { useFront } from '../helpers/front.ts';
import { metricOf } from '../helpers/metrics.ts';

const repeat = (count: number, make: (index: number) => string) =>
  Array.from({ length: count }, (_, n) => make(n)).join(' ');
const nested = (depth: number) => `${'{ me '.repeat(depth - 1)}{ name }${' }'.repeat(depth - 1)}`;
/** Fragments of which each spreads the next one twice: the last one stands there 2^count times. */
const bomb = (count: number) =>
  `{ ...F0 } ${repeat(count, n => `fragment F${n} on Query { ...F${n + 1} ...F${n + 1} }`)} fragment F${count} on Query { name }`;

describe('an operation that is larger than a limit', () => {
  const front = useFront();
  beforeAll(async () => {
    const subgraph = await front.serve({
      name: 'people',
      typeDefs: 'type Query { me: Query name: String } type Subscription { named: String }',
      resolvers: { Query: { me: () => ({}), name: () => 'Ada' } },
    });
    await subgraph.register();
    await vi.waitFor(
      async () => expect((await front.anyone.request('{ name }')).data).toEqual({ name: 'Ada' }),
      10_000,
    );
  });
  const refused = (limit: string) => metricOf(front.gateway, 'gateway_operations_refused_total', { limit });

  const cases: [string, string, string][] = [
    [
      'MAX_DEPTH_LIMIT',
      nested(51),
      'The operation has 51 fields within each other, and may have 50 (OPERATION_MAX_DEPTH)',
    ],
    [
      'MAX_DEPTH_LIMIT',
      `query Deep { ...F } fragment F on Query ${nested(51)}`,
      "The operation 'Deep' has 51 fields",
    ],
    [
      'MAX_HEIGHT_LIMIT',
      `{ me { ${repeat(2_000, () => 'name')} } }`,
      'The operation has 2001 fields, and may have 2000',
    ],
    ['MAX_HEIGHT_LIMIT', bomb(40), 'The operation has 1099511627776 fields'],
    [
      'MAX_ALIASES_LIMIT',
      `{ me { ${repeat(101, n => `a${n}: name`)} } }`,
      'The operation has 101 aliases, and may have 100',
    ],
    [
      'MAX_ROOT_FIELDS_LIMIT',
      `{ ${repeat(51, n => `a${n}: name`)} }`,
      'The operation has 51 root fields, and may have 50',
    ],
    [
      'MAX_DIRECTIVES_LIMIT',
      `{ ${repeat(20, () => `name${' @skip(if: false)'.repeat(11)}`)} }`,
      'The operation has 220 directives',
    ],
  ];
  test.each(cases)('is refused with %s', async (limit, query, message) => {
    const before = await refused(limit);
    const { data, errors } = await front.anyone.request(query);
    expect(data).toBeUndefined();
    const error = errors?.find(({ extensions }) => extensions?.['code'] === limit);
    expect(error?.message).toContain(message);
    expect(error?.extensions).toEqual({ code: limit });

    const live: unknown[] = [];
    const listen = async () => {
      for await (const result of front.anyone.subscribe(query)) live.push(result);
    };
    await expect(listen()).rejects.toContainEqual(
      expect.objectContaining({
        message: expect.stringContaining(message) as string,
        extensions: { code: limit },
      }),
    );
    expect(live).toEqual([]);
    expect(await refused(limit)).toBe(before + 2);
  });

  test.each([
    ['as deep as it may be', nested(50)],
    ['of as many aliases as it may have', `{ me { ${repeat(100, n => `a${n}: name`)} } }`],
    ['introspection', getIntrospectionQuery({ inputValueDeprecation: true, schemaDescription: true })],
  ])('is not %s', async (_what, query) => {
    expect((await front.anyone.request(query)).errors).toBeUndefined();
  });

  test('of more tokens than a document may have is not read', async () => {
    const { errors } = await front.anyone.request(`{ ${repeat(10_000, () => 'name')} }`);
    expect(errors).toMatchObject([
      {
        message: expect.stringContaining('10000 tokens') as string,
        extensions: { code: 'GRAPHQL_PARSE_FAILED' },
      },
    ]);
  });

  test('keeps nobody from being answered', async () => {
    const bombs = Array.from({ length: 20 }, () => front.anyone.request(bomb(60)));
    expect((await front.anyone.request('{ name }')).data).toEqual({ name: 'Ada' });
    for (const { errors } of await Promise.all(bombs)) expect(errors).toHaveLength(2);
  });
});

describe('an operation that costs too much', () => {
  const front = useFront({ env: { OPERATION_MAX_COST: '100' } });
  let asked = 0;
  beforeAll(async () => {
    const subgraph = await front.serve({
      name: 'people',
      typeDefs: `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@listSize"])
        type Query { people(first: Int): [Person] @listSize(slicingArguments: ["first"]) }
        type Subscription { joined(first: Int): Person }
        type Person { name: String friends(first: Int): [Person] @listSize(slicingArguments: ["first"]) }`,
      resolvers: {
        Query: {
          people: () => {
            asked += 1;
            return [];
          },
        },
      },
    });
    await subgraph.register();
    await vi.waitFor(
      async () =>
        expect((await front.anyone.request('{ people(first: 1) { name } }')).data).toEqual({ people: [] }),
      10_000,
    );
  });

  test('is refused before anything is asked, whether or not its document is known', async () => {
    const query = 'query ($n: Int) { people(first: $n) { friends(first: 10) { name } } }';
    const ask = async (n: number) => {
      const response = await fetch(front.graphUrl, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query, variables: { n } }),
      });
      return { status: response.status, body: await response.json() };
    };
    for (let time = 0; time < 2; time += 1) {
      asked = 0;
      const { status, body } = await ask(50);
      expect(status).toBe(400);
      expect(body).toMatchObject({
        errors: [{ extensions: { code: 'COST_ESTIMATED_TOO_EXPENSIVE', estimatedCost: 550, maxCost: 100 } }],
      });
      expect(asked).toBe(0);
      expect((await ask(5)).body).toEqual({ data: { people: [] } });
    }
  });

  test('and one that does not: both costs are in the extensions of the answer, for a client that asks', async () => {
    const ask = async (headers: Record<string, string>) => {
      const response = await fetch(front.graphUrl, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ query: '{ people(first: 3) { name } }' }),
      });
      return response.json();
    };
    for (let time = 0; time < 2; time += 1) {
      expect(await ask({ 'x-graphql-cost': '1' })).toEqual({
        data: { people: [] },
        extensions: { cost: { requestedQueryCost: 3, actualQueryCost: 0 } },
      });
      expect(await ask({})).toEqual({ data: { people: [] } });
    }
  });

  test('is refused as a subscription too', async () => {
    const client = createGraphClient(front.graphUrl);
    const refused = client.subscribe('subscription { joined { friends(first: 200) { name } } }').next();
    await expect(refused).rejects.toMatchObject([{ extensions: { code: 'COST_ESTIMATED_TOO_EXPENSIVE' } }]);
    await client.close();
  });
});
