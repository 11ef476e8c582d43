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
