import { serverAudits } from 'graphql-http';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { useFront } from '../helpers/front.ts';

/** https://graphql.github.io/graphql-over-http/draft/ */
describe('GraphQL over HTTP', () => {
  const front = useFront();
  beforeAll(async () => {
    const subgraph = await front.serve({
      name: 'pens',
      typeDefs: 'type Query { pen: String }',
      resolvers: { Query: { pen: () => 'blue' } },
    });
    await subgraph.register();
    await vi.waitFor(
      async () => expect((await front.anyone.request('{ pen }')).data).toEqual({ pen: 'blue' }),
      { timeout: 10_000, interval: 50 },
    );
  });

  // What a server may do is left to it.
  const audits = serverAudits({ url: () => front.graphUrl, fetchFn: fetch }).filter(
    ({ name }) => !name.startsWith('MAY'),
  );

  test.each(audits)('$name', async audit => {
    const result = await audit.fn();
    expect(result.status === 'ok' ? 'ok' : `${result.status}: ${result.reason}`).toBe('ok');
  });
});
