import { buildSchema, parse } from 'graphql';
import { describe, expect, test } from 'vitest';
import type { Graph } from './graph.ts';
import { rememberHotOperations } from './hot-operations.ts';
import type { SeenOperation } from './seen-operation.ts';

const operation = (field: string): SeenOperation => ({
  document: parse(`{ ${field} }`),
  queryHash: field,
  operationName: undefined,
});

/** A graph that notes what it is to plan. */
function graphOf(fields: string) {
  const warmed: string[] = [];
  const graph = {
    schema: buildSchema(`type Query { ${fields} }`),
    warm: ({ queryHash }: SeenOperation) => Promise.resolve(void warmed.push(queryHash)),
  };
  return { graph: graph as unknown as Graph, warmed };
}

describe('hot operations', () => {
  test('are planned on a new graph, the hottest first, and only those that are valid there', async () => {
    const hot = rememberHotOperations({ warmed: 2 });
    for (const [field, times] of [
      ['a', 1],
      ['b', 3],
      ['gone', 2],
      ['c', 4],
    ] as const)
      for (let count = 0; count < times; count++) hot.see(operation(field));
    const { graph, warmed } = graphOf('a: Int b: Int c: Int');
    expect(await hot.warm(graph)).toBe(2);
    expect(warmed).toEqual(['c', 'b']);
  });

  test('that were hot long ago make room for those that are now', async () => {
    const hot = rememberHotOperations({ remembered: 3, warmed: 3 });
    hot.see(operation('a'));
    for (let count = 0; count < 5; count++) hot.see(operation('b'));
    hot.see(operation('c'));
    for (const field of ['d', 'e']) for (let count = 0; count < 3; count++) hot.see(operation(field));
    const { graph, warmed } = graphOf('a: Int b: Int c: Int d: Int e: Int');
    await hot.warm(graph);
    expect(new Set(warmed)).toEqual(new Set(['b', 'd', 'e']));
  });
});
