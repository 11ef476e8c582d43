import { type ExecutionResult, GraphQLError, OperationTypeNode } from 'graphql';
import { Registry } from 'prom-client';
import { describe, expect, test, vi } from 'vitest';
import type { FormatError } from '../format.ts';
import { anonymous } from '../security/operation-caller.ts';
import type { KnownOperation } from './known-operations.ts';
import { createOperationRunner } from './operation-runner.ts';

/** A runner that knows one operation, `{ pens }`. */
function createRunner(
  result: Buffer | ExecutionResult = Buffer.from('{"data":{}}\n'),
  formatError: FormatError = formatted => formatted,
) {
  const executed: unknown[] = [];
  const operation = {
    graph: { requestFor: (_kind: unknown, variables: unknown) => ({ variables }) },
    executable: {
      kind: OperationTypeNode.QUERY,
      write({ variables }: { variables: unknown }) {
        executed.push(variables);
        return Promise.resolve(result);
      },
    },
    unsharedUntilMs: 0,
  } as unknown as KnownOperation;
  const runner = createOperationRunner({
    known: { find: query => (query === '{ pens }' ? operation : undefined) },
    hotOperations: { see() {} },
    formatError,
    rules: { toSubgraphs: [], toClients: [] },
    deduplicates: true,
    metrics: new Registry(),
  });
  return {
    executed,
    run: (body: unknown) =>
      runner.run({
        text: JSON.stringify(body),
        parse: () => body,
        headers: {},
        caller: anonymous,
        address: '',
        onGone() {},
      }),
  };
}

const query = '{ pens }';

test.each([
  [{ query }, {}],
  [{ query, variables: null, operationName: null, extensions: null }, {}],
  [{ query, variables: { a: 1 } }, { a: 1 }],
  // Apollo Client says in each request what it is.
  [{ query, extensions: { clientLibrary: { name: '@apollo/client', version: '4.3.8' } } }, {}],
])('%j is executed at once', async (body, variables) => {
  const { run, executed } = createRunner();
  expect((await run(body))?.body.toString()).toBe('{"data":{}}\n');
  expect(executed).toEqual([variables]);
});

describe('Apollo Server answers', () => {
  test.each([
    ['an operation that it has not seen', { query: '{ pencils }' }],
    ['several requests', [{ query }]],
    ['no request', 'pens'],
    ['variables that are no object', { query, variables: [1] }],
    ['extensions that are no object', { query, extensions: 'x' }],
    ['a persisted query', { query, extensions: { persistedQuery: { version: 1, sha256Hash: 'x' } } }],
    ['a name that is none', { query, operationName: 1 }],
    ['an empty name', { query, operationName: '' }],
  ])('%s', async (_case, body) => {
    const { run, executed } = createRunner();
    expect(await run(body)).toBeUndefined();
    expect(executed).toEqual([]);
  });

  test('an operation whose variables are wrong, and tells of them', async () => {
    const formatError = vi.fn<(error: object) => never>();
    const { run } = createRunner({ errors: [new GraphQLError('wrong')] }, formatError);
    expect(await run({ query })).toBeUndefined();
    expect(formatError).not.toHaveBeenCalled();
  });
});
