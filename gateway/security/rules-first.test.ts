import { ApolloServer } from '@apollo/server';
import { GraphQLError, type ValidationRule } from 'graphql';
import { expect, onTestFinished, test } from 'vitest';
import { checkFirst } from './rules-first.ts';

test('what our rules refuse does not come to those of the specification', async () => {
  const atMostTen: ValidationRule = context => ({
    OperationDefinition({ selectionSet }) {
      if (selectionSet.selections.length > 10)
        context.reportError(new GraphQLError('too many', { extensions: { limit: 'FIELDS' } }));
    },
  });
  const { plugin, rule } = checkFirst([atMostTen]);
  const server = new ApolloServer({
    typeDefs: 'type Query { items: [Item] } type Item { id: ID next: Item }',
    plugins: [plugin],
    validationRules: [rule],
    stopOnTerminationSignals: false,
  });
  await server.start();
  onTestFinished(() => server.stop());
  const ask = async (query: string) => {
    const { body } = await server.executeOperation({ query });
    return body.kind === 'single' ? body.singleResult : undefined;
  };
  for (const time of [1, 2]) {
    const startedAt = performance.now();
    const large = await ask(`# ${time}\n{ ${'items { id next { id } } '.repeat(3_000)} }`);
    expect(large?.errors?.map(({ message }) => message)).toEqual(['too many']);
    // By the rules of the specification it takes several seconds.
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  }
  expect(await ask('{ items { id } }')).toEqual({ data: { items: null } });
  expect((await ask('{ nothing }'))?.errors?.[0]?.message).toMatch(/Cannot query field/);
});
