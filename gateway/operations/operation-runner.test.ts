import { type ExecutionResult, GraphQLError, OperationTypeNode } from 'graphql';
import { Registry } from 'prom-client';
import { describe, expect, test, vi } from 'vitest';
import type { FormatError } from '../format.ts';
import { GatewayError, refusalOf } from '../gateway-error.ts';
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
        return new Promise(resolve => setImmediate(resolve, result));
      },
    },
    unsharedUntilMs: 0,
  } as unknown as KnownOperation;
  const runner = createOperationRunner({
    known: {
      find: query => (query === '{ pens }' ? operation : undefined),
      findByHash: hash => (hash === 'known' ? operation : undefined),
    },
    hotOperations: { see() {} },
    formatError,
    rules: { toSubgraphs: [], toClients: [] },
    deduplicates: true,
    metrics: new Registry(),
  });
  return {
    executed,
    operation,
    run: (body: unknown) =>
      runner.run({
        asked: { method: 'POST', text: JSON.stringify(body), parse: () => body },
        headers: {},
        caller: anonymous,
        address: '',
        onGone() {},
      }),
  };
}

const query = '{ pens }';

/** Runs the query, and once more while that is under way. */
async function runWhileUnderWay(run: ReturnType<typeof createRunner>['run'], executed: readonly unknown[]) {
  const first = run({ query });
  while (executed.length === 0) await Promise.resolve();
  return Promise.all([first, run({ query })]);
}

test.each([
  [{ query }, {}],
  [{ query, variables: null, operationName: null, extensions: null }, {}],
  [{ query, variables: { a: 1 } }, { a: 1 }],
  [{ extensions: { persistedQuery: { version: 1, sha256Hash: 'known' } } }, {}],
  // Apollo Client says in each request what it is.
  [{ query, extensions: { clientLibrary: { name: '@apollo/client', version: '4.3.8' } } }, {}],
])('%j is executed at once', async (body, variables) => {
  const { run, executed } = createRunner();
  expect((await run(body))?.body.toString()).toBe('{"data":{}}\n');
  expect(executed).toEqual([variables]);
});

test('a refusal of one client is not the answer to others that wait for the same', async () => {
  const refusal = refusalOf(
    new GatewayError('COST_BUDGET_EXCEEDED', 'spent', { details: { retryAfterSeconds: 7 } }),
  );
  const { run, executed, operation } = createRunner({ errors: [refusal] });
  const [first, second] = await runWhileUnderWay(run, executed);
  expect(first).toMatchObject({ status: 429, headers: { 'retry-after': '7' } });
  expect(second?.status).toBe(429);
  expect(executed).toHaveLength(2);
  // What comes next may be shared again.
  expect(operation.unsharedUntilMs).toBe(0);
});

test('an answer with errors beside its data is shared like any other', async () => {
  const { run, executed, operation } = createRunner({ data: {}, errors: [new GraphQLError('kaput')] });
  const [first, second] = await runWhileUnderWay(run, executed);
  expect(first?.body.toString()).toContain('kaput');
  expect(second).toBe(first);
  expect(executed).toHaveLength(1);
  expect(operation.unsharedUntilMs).toBe(0);
});

describe('Apollo Server answers', () => {
  test.each([
    ['an operation that it has not seen', { query: '{ pencils }' }],
    ['several requests', [{ query }]],
    ['no request', 'pens'],
    ['variables that are no object', { query, variables: [1] }],
    ['extensions that are no object', { query, extensions: 'x' }],
    [
      'a persisted query that comes with its text',
      { query, extensions: { persistedQuery: { version: 1, sha256Hash: 'known' } } },
    ],
    [
      'a persisted query that is not known',
      { extensions: { persistedQuery: { version: 1, sha256Hash: 'x' } } },
    ],
    [
      'a persisted query of another version',
      { extensions: { persistedQuery: { version: 2, sha256Hash: 'known' } } },
    ],
    ['a hash that is none', { extensions: { persistedQuery: { version: 1, sha256Hash: 5 } } }],
    ['a name that is none', { query, operationName: 1 }],
    ['a name that is an object', { query, operationName: {} }],
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
