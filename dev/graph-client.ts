import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';

/** Answer of a GraphQL server. */
export interface GraphResult<T> {
  readonly data?: T | null;
  readonly errors?: readonly { readonly message: string; readonly extensions?: Record<string, unknown> }[];
}

/** A client of the graph, for one caller. */
export interface GraphClient {
  /** Runs a query or mutation, until the signal aborts it. */
  request<T>(
    query: string,
    variables?: Record<string, unknown>,
    signal?: AbortSignal,
  ): Promise<GraphResult<T>>;
  /** Opens a subscription over graphql-ws. */
  subscribe<T>(query: string, variables?: Record<string, unknown>): AsyncIterableIterator<GraphResult<T>>;
  /** Ends the WebSocket and all subscriptions on it. */
  close(): Promise<void>;
}

/** Makes a client of the graph at an address, over HTTP and WebSocket. */
export function createGraphClient(url: string, token?: string): GraphClient {
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const live = createClient({
    url: url.replace(/^http/, 'ws'),
    webSocketImpl: WebSocket,
    connectionParams: authorization,
    retryAttempts: 0,
  });
  return {
    async request<T>(query: string, variables: Record<string, unknown> = {}, signal?: AbortSignal) {
      const response = await fetch(url, {
        method: 'POST',
        signal: signal ?? null,
        headers: { 'content-type': 'application/json', ...authorization },
        body: JSON.stringify({ query, variables }),
      });
      return (await response.json()) as GraphResult<T>;
    },
    subscribe: <T>(query: string, variables: Record<string, unknown> = {}) =>
      live.iterate({ query, variables }) as unknown as AsyncIterableIterator<GraphResult<T>>,
    close: async () => live.dispose(),
  };
}
