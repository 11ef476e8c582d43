import { loads } from './federation.ts';

/*
 * Documents that no gateway has seen, of the shapes that loads have: another alias makes each of them another. Its number
 * is left out where a subgraph remembers answers, so that subgraphs answer the first one as fast as the second.
 */

/** End of each alias in a document, without the number that tells documents apart. */
export const unmarked = '_k';

/** End of each alias with its number, where a request has aliases of ours. */
export function markIn(body: string): string | undefined {
  return body.includes(unmarked) ? /_k\d+/.exec(body)?.[0] : undefined;
}

/** Bodies of requests with documents that differ from all others by their number. */
export function neverSeen(shape: string, first: number, count: number): string[] {
  const requests = loads[shape]?.requests ?? [];
  return Array.from({ length: count }, (_, index) => {
    const request = requests[index % requests.length];
    const query = request?.query.replaceAll(
      /\b(name|reviews)\b/g,
      field => `${field}${unmarked}${first + index}: ${field}`,
    );
    return JSON.stringify({ ...request, query });
  });
}
