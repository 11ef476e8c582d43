import { ApolloClient, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { CombinedGraphQLErrors, CombinedProtocolErrors } from '@apollo/client/errors';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { createClient as createSseClient } from 'graphql-sse';
import { createClient as createWsClient } from 'graphql-ws';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { createGraphClient } from '../../dev/graph-client.ts';
import { useFront } from '../helpers/front.ts';
import { metricOf } from '../helpers/metrics.ts';
import { createCatalogue, createFeed, serveCatalogue, servePrices, waitForSubgraphs } from './feed.ts';

const changes =
  'subscription ($after: String) { priceChanged(after: $after) { cursor ... on PriceChange { amount product { name } } } }';

// Node 20 has no WebSocket of its own, which Apollo Client expects.
vi.stubGlobal('WebSocket', WebSocket);

/** One subscription by a client that others wrote. */
interface Listening {
  readonly results: unknown[];
  readonly error: () => unknown;
  stop(): void;
}

/** Subscribes as a client of another library. */
type Listen = (query: string, variables?: Record<string, unknown>, token?: string) => Listening;

describe('live operations reach', () => {
  const front = useFront({ env: { JWT_CLOCK_TOLERANCE_SECONDS: '0' } });
  const feed = createFeed();
  const stops: (() => void)[] = [];

  beforeAll(async () => {
    await servePrices(front, feed, 'one');
    await serveCatalogue(front, createCatalogue().resolvers);
    await waitForSubgraphs(front, 2);
  });
  afterEach(async () => {
    for (const stop of stops.splice(0)) stop();
    await vi.waitFor(() => expect(feed.readers).toBe(0), 5_000);
  });

  function listening(
    begin: (sink: { next(value: unknown): void; error(cause: unknown): void }) => () => void,
  ): Listening {
    const results: unknown[] = [];
    let error: unknown;
    const stop = begin({
      next: value => void results.push(value),
      error(cause) {
        error = cause;
      },
    });
    stops.push(stop);
    return { results, error: () => error, stop };
  }
  const headersOf = (token?: string): Record<string, string> =>
    token ? { authorization: `Bearer ${token}` } : {};
  const complete = () => {};

  const graphqlWs: Listen = (query, variables = {}, token) =>
    listening(sink => {
      const client = createWsClient({
        url: front.graphUrl.replace('http', 'ws'),
        webSocketImpl: WebSocket,
        connectionParams: headersOf(token),
        retryAttempts: 0,
      });
      client.subscribe({ query, variables }, { ...sink, complete });
      return () => void client.dispose();
    });
  const graphqlSse: Listen = (query, variables = {}, token) =>
    listening(sink => {
      const client = createSseClient({ url: front.graphUrl, headers: headersOf(token), retryAttempts: 0 });
      client.subscribe({ query, variables }, { ...sink, complete });
      return () => client.dispose();
    });
  const apollo =
    (linkOf: (token?: string) => { link: HttpLink | GraphQLWsLink; end: () => void }): Listen =>
    (query, variables = {}, token) =>
      listening(sink => {
        const { link, end } = linkOf(token);
        const client = new ApolloClient({ link, cache: new InMemoryCache() });
        const subscription = client
          .subscribe({ query: gql(query), variables, errorPolicy: 'all', fetchPolicy: 'no-cache' })
          .subscribe({
            // Apollo gives the errors of an operation as a result, and those of the connection too.
            next: ({ data, error }) => (error ? sink.error(error) : sink.next({ data })),
            error: sink.error,
          });
        return () => {
          subscription.unsubscribe();
          client.stop();
          end();
        };
      });
  const apolloOverHttp = apollo(token => ({
    link: new HttpLink({ uri: front.graphUrl, headers: headersOf(token) }),
    end() {},
  }));
  const apolloOverWs = apollo(token => {
    const client = createWsClient({
      url: front.graphUrl.replace('http', 'ws'),
      webSocketImpl: WebSocket,
      connectionParams: headersOf(token),
      retryAttempts: 0,
    });
    return { link: new GraphQLWsLink(client), end: () => void client.dispose() };
  });

  const clients: [name: string, transport: string, listen: Listen][] = [
    ['graphql-ws', 'websocket', graphqlWs],
    ['graphql-sse', 'sse', graphqlSse],
    ['Apollo Client over graphql-ws', 'websocket', apolloOverWs],
    ['Apollo Client over multipart HTTP', 'multipart', apolloOverHttp],
  ];

  describe.each(clients)('%s', (_name, transport, listen) => {
    test('with fields of other subgraphs, from a cursor on, as long as it listens', async () => {
      feed.change(1);
      const after = feed.cursor;
      feed.change(2);
      const listening = listen(changes, { after });
      await expect.poll(() => listening.results.length, { timeout: 5_000 }).toBe(1);
      feed.change(3);
      await expect.poll(() => listening.results.length, { timeout: 5_000 }).toBe(2);
      expect(listening.results).toMatchObject([
        { data: { priceChanged: { amount: 2, product: { name: 'a pen' } } } },
        { data: { priceChanged: { amount: 3, cursor: feed.cursor } } },
      ]);
      expect(await metricOf(front.gateway, 'gateway_live_operations', { transport })).toBe(1);
      listening.stop();
      await expect.poll(() => metricOf(front.gateway, 'gateway_live_operations')).toBe(0);
      await expect.poll(() => metricOf(front.gateway, 'gateway_live_connections')).toBe(0);
    });

    test('which is told when its operation is not valid', async () => {
      const listening = listen('subscription { priceChanged { nothing } }');
      await vi.waitFor(() => expect(listening.error() ?? listening.results[0]).toBeDefined(), 5_000);
      const [error] = errorsOf(listening);
      expect(error).toMatchObject({
        message: expect.stringContaining('Cannot query field "nothing"'),
        extensions: { code: 'GRAPHQL_VALIDATION_FAILED' },
      });
    });

    test('until its token expires, and says so', async () => {
      const token = await front.keys.mintToken('alice', { lifetime: '3s' });
      const listening = listen(changes, {}, token);
      await expect.poll(() => feed.readers).toBe(1);
      feed.change(4);
      await expect.poll(() => listening.results.length, { timeout: 1_000 }).toBe(1);
      await vi.waitFor(() => expect(endingOf(listening)).toBeDefined(), 5_000);
      expect(endingOf(listening)).toMatch(
        transport === 'websocket' ? /4403 The token has expired; connect with a new one/ : /^UNAUTHENTICATED/,
      );
      await expect.poll(() => feed.readers).toBe(0);
    });
  });

  test('queries and mutations go over WebSockets and Server-Sent Events too', async () => {
    const query = '{ product(sku: "PEN") { name } changes }';
    for (const listen of [graphqlWs, graphqlSse]) {
      const listening = listen(query);
      await expect
        .poll(() => listening.results, { timeout: 5_000 })
        .toMatchObject([{ data: { product: { name: 'a pen' } } }]);
    }
  });

  test('event streams by GET, as browsers open them', async () => {
    const url = `${front.graphUrl}?query=${encodeURIComponent('{ changes }')}`;
    const response = await fetch(url, { headers: { accept: 'text/event-stream' } });
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(await response.text()).toMatch(
      /^:\n\nevent: next\ndata: \{"data":\{"changes":\d+\}\}\n\nevent: complete\ndata: \n\n$/,
    );
    const bad = await fetch(`${url}&variables=nothing`, { headers: { accept: 'text/event-stream' } });
    expect(await bad.text()).toContain('expected JSON');
  });

  test('a WebSocket takes a bounded number of operations', async () => {
    const client = createGraphClient(front.graphUrl);
    stops.push(() => void client.close());
    const subscriptions = Array.from({ length: 101 }, () => client.subscribe(changes).next());
    const refused = await Promise.race(subscriptions.map(each => each.catch((error: unknown) => error)));
    expect(refused).toMatchObject([{ extensions: { code: 'TOO_MANY_OPERATIONS' } }]);
    expect(await metricOf(front.gateway, 'gateway_live_operations')).toBe(100);
  });
});

/** The GraphQL errors that a client got, in whichever way it tells of them. */
function errorsOf({ results, error }: Listening): unknown[] {
  const cause = error();
  if (CombinedGraphQLErrors.is(cause)) return [...cause.errors];
  if (CombinedProtocolErrors.is(cause)) return [...cause.errors];
  if (Array.isArray(cause)) return cause;
  return (results as { errors?: unknown[] }[]).flatMap(({ errors = [] }) => errors);
}

/** Finds the end of a subscription: the first error, or how its connection was closed. */
function endingOf(listening: Listening): string | undefined {
  const [first] = errorsOf(listening) as { message: string; extensions: { code: string } }[];
  if (first) return `${first.extensions.code} ${first.message}`;
  const cause = listening.error();
  if (cause instanceof Error) return cause.message;
  const closed = cause as { code: number; reason: string } | undefined;
  return closed && `${closed.code} ${closed.reason}`;
}
