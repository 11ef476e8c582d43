import { getIntrospectionQuery } from 'graphql';
import { beforeAll, describe, expect, test, vi } from 'vitest';
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
