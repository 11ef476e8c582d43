import { QueryPlanner } from '@apollo/query-planner';
import { ApolloServer } from '@apollo/server';
import { afterEach, beforeEach, describe, expect, type MockInstance, onTestFinished, test, vi } from 'vitest';
import { silentLog } from '../../../platform/log.ts';
import { federation } from '../../testing/supergraph.ts';
import { Turn } from '../../turn.ts';
import { compose } from '../composition/compose.ts';
import { createSwappingGateway } from './apollo-gateway.ts';
import { createGraph, type Graph } from './graph.ts';
import { rememberHotOperations } from './hot-operations.ts';

type Answer = (query: string) => Promise<Record<string, unknown>>;

/** A graph of items and their stock, whose subgraphs answer as told. */
async function createItemsGraph(
  stockFields: string,
  answers: { items: Answer; stock: Answer },
): Promise<Graph> {
  const subgraphs = [
    {
      name: 'items',
      hash: '1',
      sdl: `${federation} type Query { item: Item } type Item @key(fields: "id") { id: ID! name: String }`,
    },
    {
      name: 'stock',
      hash: stockFields,
      sdl: `${federation} type Item @key(fields: "id") { id: ID! ${stockFields} }`,
    },
  ];
  const outcome = compose(subgraphs);
  if (outcome.kind === 'failed') throw new Error('The subgraphs of this test expected to compose');
  const graph = await createGraph({
    supergraphSdl: outcome.supergraphSdl,
    subgraphs,
    maxPlans: 10,
    log: silentLog,
    clientOf:
      ({ name }) =>
      async ({ query }) => ({ data: await answers[name as keyof typeof answers](query) }),
  });
  onTestFinished(() => graph.close());
  return graph;
}

const item = () => Promise.resolve({ item: { __typename: 'Item', id: '1', name: 'pen' } });
const entity = (fields: Record<string, unknown>) => () =>
  Promise.resolve({ _entities: [{ __typename: 'Item', ...fields }] });

/** Apollo Server as the gateway sets it up, with a graph that the test swaps. */
async function serveGraph(first: Graph) {
  let listener: (graph: Graph) => void = () => {};
  const hotOperations = rememberHotOperations();
  const supergraph = {
    onGraph(callback: (graph: Graph) => void) {
      listener = callback;
      callback(first);
      return () => {};
    },
  };
  const apollo = new ApolloServer({
    gateway: createSwappingGateway(supergraph, {
      onServed() {},
      onOperation: (_source, operation) => hotOperations.see(operation),
    }),
    stopOnTerminationSignals: false,
    logger: silentLog,
  });
  await apollo.start();
  onTestFinished(() => apollo.stop());
  return {
    hotOperations,
    swap: (graph: Graph) => listener(graph),
    async ask(query: string, operationName?: string) {
      const { body } = await apollo.executeOperation(
        { query, ...(operationName ? { operationName } : {}) },
        { contextValue: { turn: new Turn() } },
      );
      return body.kind === 'single' ? { ...body.singleResult } : undefined;
    },
  };
}

describe('when another graph takes over', () => {
  let planned: MockInstance<QueryPlanner['buildQueryPlan']>;
  beforeEach(() => {
    planned = vi.spyOn(QueryPlanner.prototype, 'buildQueryPlan');
  });
  afterEach(() => {
    planned.mockRestore();
  });

  test.each([
    ['{ item { name count } }', undefined],
    ['query One { item { name } } query Two { item { name count } }', 'Two'],
  ])('an operation that was sent before is planned already: %s', async (query, operationName) => {
    const answers = { items: item, stock: entity({ count: 3 }) };
    const { ask, swap, hotOperations } = await serveGraph(await createItemsGraph('count: Int', answers));
    const expected = { data: { item: { name: 'pen', count: 3 } } };
    expect(await ask(query, operationName)).toMatchObject(expected);
    expect(planned).toHaveBeenCalledTimes(1);

    const next = await createItemsGraph('count: Int place: String', answers);
    expect(await hotOperations.warm(next)).toBe(1);
    expect(planned).toHaveBeenCalledTimes(2);
    swap(next);
    expect(await ask(query, operationName)).toMatchObject(expected);
    expect(planned).toHaveBeenCalledTimes(2);

    // What was not sent before shows that plans are counted.
    await ask('{ item { place } }');
    expect(planned).toHaveBeenCalledTimes(3);
  });

  test('an operation that is under way ends on the graph that it began on', async () => {
    let release = () => {};
    const held = new Promise<void>(resolve => {
      release = resolve;
    });
    const asked = vi.fn(entity({ count: 3 }));
    const first = await createItemsGraph('count: Int', {
      items: async () => {
        await held;
        return item();
      },
      stock: asked,
    });
    const { ask, swap } = await serveGraph(first);
    const underWay = ask('{ item { name count } }');
    await expect.poll(() => planned).toHaveBeenCalledTimes(1);

    swap(await createItemsGraph('place: String', { items: item, stock: entity({ place: 'shelf' }) }));
    expect(await ask('{ item { place } }')).toMatchObject({ data: { item: { place: 'shelf' } } });
    expect(await ask('{ item { count } }')).toMatchObject({
      errors: [{ extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } }],
    });
    release();

    expect(await underWay).toMatchObject({ data: { item: { name: 'pen', count: 3 } } });
    expect(asked).toHaveBeenCalledTimes(1);
  });
});
