import { GraphQLError } from 'graphql';
import { describe, expect, test, vi } from 'vitest';
import { anonymous } from '../security/operation-caller.ts';
import { createOperationReader, maxDocumentTokens, RefusedOperation } from './operation.ts';
import { startGraph } from './testing.ts';

async function start() {
  const planned = vi.fn<(subgraph: string) => void>();
  return {
    graph: await startGraph(),
    planned,
    reader: createOperationReader({ metrics: { planned }, rules: [] }),
  };
}

function refusalOf(read: () => unknown): readonly GraphQLError[] {
  try {
    read();
  } catch (error) {
    if (error instanceof RefusedOperation) return error.errors;
    throw error;
  }
  throw new Error('The operation was not refused');
}
const codesOf = (errors: readonly GraphQLError[]) => errors.map(({ extensions }) => extensions['code']);

describe('an operation that is read', () => {
  test('has its variables coerced, and no plan when it is a query', async () => {
    const { graph, reader, planned } = await start();
    const query = 'query ($sku: ID!) { price(sku: $sku) }';
    const read = reader.read(graph, { query, variables: { sku: 5 } }, anonymous);
    expect(read).toMatchObject({ variables: { sku: '5' }, subscription: undefined });
    expect(planned).not.toHaveBeenCalled();
  });

  test('is planned once for a graph when it is a subscription, however often it comes', async () => {
    const { graph, reader, planned } = await start();
    const query = 'subscription ($sku: ID!) { priceChanged(sku: $sku) { amount } }';
    const [one, other] = ['a', 'b'].map(sku => reader.read(graph, { query, variables: { sku } }, anonymous));
    expect(one?.subscription).toBe(other?.subscription);
    expect(one?.subscription).toMatchObject({ plan: { subgraph: 'prices' }, isShareable: true });
    expect(planned.mock.calls).toEqual([['prices']]);
  });

  test('has the id of its text, in whichever graph', async () => {
    const { graph, reader } = await start();
    const request = { query: 'subscription { ticked }' };
    const inOne = reader.read(graph, request, anonymous).subscription;
    const inOther = reader.read(await startGraph(), request, anonymous).subscription;
    expect(inOther).not.toBe(inOne);
    expect(inOther?.id).toBe(inOne?.id);
    expect(
      reader.read(graph, { query: 'subscription { tick: ticked }' }, anonymous).subscription?.id,
    ).not.toBe(inOne?.id);
  });
});

test('a subscription of a caller who has got more fields has another id', async () => {
  const graph = await startGraph();
  const { reader } = await start();
  const readWith = (key: string) => {
    const grants = { key, isGranted: () => true };
    const its: typeof graph = Object.create(graph, { grantsOf: { value: () => grants } });
    return reader.read(its, { query: 'subscription { ticked }' }, anonymous).subscription?.id;
  };
  expect(readWith('01')).not.toBe(readWith('11'));
  expect(readWith('01')).toBe(readWith('01'));
});

describe('an operation is refused', () => {
  test.each([
    ['that is no GraphQL', '{', 'GRAPHQL_PARSE_FAILED'],
    ['that has too many tokens', `{ ${'price '.repeat(maxDocumentTokens)} }`, 'GRAPHQL_PARSE_FAILED'],
    ['that is not valid', 'subscription { nothing }', 'GRAPHQL_VALIDATION_FAILED'],
    [
      'that is one of several, unnamed',
      'query A { a: price(sku: 1) } query B { b: price(sku: 1) }',
      'OPERATION_RESOLUTION_FAILURE',
    ],
    ['whose variable is missing', 'query ($sku: ID!) { price(sku: $sku) }', 'BAD_USER_INPUT'],
  ])('%s', async (_what, query, code) => {
    const { graph, reader } = await start();
    expect(codesOf(refusalOf(() => reader.read(graph, { query }, anonymous)))).toEqual([code]);
  });

  test('that breaks a rule of the gateway', async () => {
    const { graph } = await start();
    const reader = createOperationReader({
      metrics: { planned: () => {} },
      rules: [
        context => ({
          Field({ name }) {
            if (name.value === 'ticked') context.reportError(new GraphQLError('no ticks here'));
          },
        }),
      ],
    });
    const errors = refusalOf(() => reader.read(graph, { query: 'subscription { ticked }' }, anonymous));
    expect(errors.map(({ message }) => message)).toEqual(['no ticks here']);
  });
});
