import { beforeAll, describe, expect, test, vi } from 'vitest';
import { useFront } from '../helpers/front.ts';

describe('with INTROSPECTION=false', () => {
  const front = useFront({ env: { INTROSPECTION: 'false' } });
  beforeAll(async () => {
    const subgraph = await front.serve({
      name: 'people',
      typeDefs: 'type Query { secretName(of: Kind): String } enum Kind { PERSON }',
      resolvers: { Query: { secretName: () => 'Ada' } },
    });
    await subgraph.register();
    const ask = async () => (await front.anyone.request('{ secretName __typename }')).data;
    await vi.waitFor(
      async () => expect(await ask()).toEqual({ secretName: 'Ada', __typename: 'Query' }),
      10_000,
    );
  });

  async function errorsOf(query: string): Promise<string[]> {
    const { errors = [] } = await front.anyone.request(query);
    return errors.map(({ message }) => message);
  }
  async function liveErrorsOf(query: string): Promise<string[]> {
    try {
      for await (const _result of front.anyone.subscribe(query));
      return [];
    } catch (errors) {
      return (errors as { message: string }[]).map(({ message }) => message);
    }
  }

  test.each(['{ __schema { types { name } } }', '{ __type(name: "Kind") { name } }'])(
    '%s is refused',
    async query => {
      const refusal = expect.stringContaining('GraphQL introspection has been disabled') as string;
      // A known operation would be answered without validation.
      for (const _time of [1, 2]) expect(await errorsOf(query)).toContainEqual(refusal);
      expect(await liveErrorsOf(query)).toContainEqual(refusal);
    },
  );

  test.each([
    '{ secretNam }',
    '{ secretName(off: PERSON) }',
    '{ secretName(of: PERSO) }',
    'query ($k: Kin) { secretName(of: $k) }',
  ])('the errors of %s suggest nothing', async query => {
    for (const errors of [await errorsOf(query), await liveErrorsOf(query)]) {
      expect(errors.length).toBeGreaterThan(0);
      expect(errors.join()).not.toContain('Did you mean');
    }
  });
});

describe('in production', () => {
  const front = useFront({ env: { NODE_ENV: 'production' } });
  const page = () => fetch(new URL('/', front.graphUrl));
  const introspect = async () => {
    const { data, errors } = await front.anyone.request(
      '{ __schema { queryType { name } } nam: __typename }',
    );
    return data ?? errors?.[0]?.message;
  };
  beforeAll(async () => {
    const subgraph = await front.serve({
      name: 'people',
      typeDefs: 'type Query { name: String }',
      resolvers: { Query: { name: () => 'Ada' } },
    });
    await subgraph.register();
    await vi.waitFor(
      async () => expect((await front.anyone.request('{ name }')).data).toEqual({ name: 'Ada' }),
      10_000,
    );
  });

  test('the schema, suggestions of its names and the explorers are hidden', async () => {
    expect(await introspect()).toContain('introspection has been disabled');
    expect((await front.anyone.request('{ nam }')).errors?.[0]?.message).toBe(
      'Cannot query field "nam" on type "Query".',
    );
    expect((await page()).status).toBe(404);
  });

  test('and shown where their settings say so', async () => {
    await front.gateway.stop();
    await front.startGateway({ INTROSPECTION: 'true', EXPLORERS: 'true' });
    await vi.waitFor(
      async () => expect(await introspect()).toMatchObject({ __schema: { queryType: { name: 'Query' } } }),
      10_000,
    );
    expect((await page()).status).toBe(200);
  });
});
