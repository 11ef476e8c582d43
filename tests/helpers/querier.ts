import type { ReadSystem } from '../chaos/read-evidence.ts';

/** Queries that together need every subgraph. */
const queries = [
  '{ product(sku: "MUG-BLACK") { name availableQuantity } }',
  '{ orders(first: 1) { edges { node { id items { product { name } } } } } }',
  '{ notifications(first: 1) { edges { node { id } } } }',
];
/** Longest time that a client waits for an answer, in ms. */
const patienceMs = 10_000;

/** Makes a function that sends one query after the other by GET, which says what failed about it. */
export async function createQuerier({ graphUrl, keys }: Pick<ReadSystem, 'graphUrl' | 'keys'>) {
  const authorization = `Bearer ${await keys.mintToken('frank')}`;
  let sent = 0;
  return async (): Promise<unknown> => {
    const query = queries[sent++ % queries.length] ?? '';
    const response = await fetch(`${graphUrl}?query=${encodeURIComponent(query)}`, {
      headers: { authorization, 'apollo-require-preflight': 'true' },
      signal: AbortSignal.timeout(patienceMs),
    });
    const text = await response.text();
    return response.ok && !text.includes('"errors"') ? undefined : `${response.status} ${query}: ${text}`;
  };
}
