import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { buildSubgraphSchema } from '@apollo/subgraph';
import { type GraphQLSchema, graphql, parse, subscribe } from 'graphql';
import { createHandler } from 'graphql-sse/lib/use/http';
import { useServer } from 'graphql-ws/use/ws';
import { afterAll, describe, expect, test } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { useFront } from '../helpers/front.ts';
import { metricOf } from '../helpers/metrics.ts';
import { registerInstance } from '../helpers/subgraph.ts';

/** A subgraph that counts, by itself and for whom it is asked. */
function countingSchema(name: string): GraphQLSchema {
  const counted = `${name}Counted`;
  return buildSubgraphSchema({
    typeDefs: parse(
      `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9")
       type Query { ${name}: String } type Subscription { ${counted}(to: Int!): Int }`,
    ),
    resolvers: {
      Subscription: {
        [counted]: {
          subscribe(_root: unknown, { to }: { to: number }) {
            if (to < 0) throw new Error('It counts upwards only');
            return countUp(counted, to);
          },
        },
      },
    } as never,
  });
}

/** Counts up to a number; to 0 without an end. */
async function* countUp(field: string, to: number) {
  for (let at = 1; to === 0 || at <= to; at++) {
    yield { [field]: at };
    if (to === 0) await delay(10);
  }
}

/**
 * Serves a schema's subscriptions by the protocol of subscriptions-transport-ws, whose message and subprotocol names differ
 * from those of today.
 * @see https://github.com/apollographql/subscriptions-transport-ws/blob/master/PROTOCOL.md
 */
function serveOlderProtocol(socket: WebSocket, schema: GraphQLSchema): void {
  const running = new Map<string, AsyncGenerator>();
  const send = (message: object) => socket.send(JSON.stringify(message));

  async function start(
    id: string,
    { query, variables }: { query: string; variables: Record<string, unknown> },
  ) {
    const results = await subscribe({ schema, document: parse(query), variableValues: variables });
    if (!(Symbol.asyncIterator in results)) return send({ type: 'error', id, payload: results.errors?.[0] });
    running.set(id, results);
    for await (const payload of results) send({ type: 'data', id, payload });
    send({ type: 'complete', id });
  }

  socket.on('message', data => {
    const message = JSON.parse((data as Buffer).toString()) as { type: string; id: string; payload: never };
    if (message.type === 'connection_init') {
      send({ type: 'connection_ack' });
      send({ type: 'ka' });
    } else if (message.type === 'start') void start(message.id, message.payload);
    else if (message.type === 'stop') void running.get(message.id)?.return(undefined);
  });
}

/** Subscriptions of an instance. */
interface Served {
  readonly webSocket?: { readonly path: string; readonly older?: boolean };
  readonly streamPath?: string;
  /** Answers what is no GraphQL over HTTP, a handshake of a WebSocket among it. @default 405 with a page */
  readonly otherwise?: RequestListener;
}

/** Serves a subgraph over HTTP at `/graphql`, and its subscriptions as told. @returns its port */
async function serve(name: string, { webSocket, streamPath, otherwise = notAllowed }: Served) {
  const schema = countingSchema(name);
  const streams = createHandler({ schema });
  const server = createServer((request, response) => {
    const streaming = request.headers.accept === 'text/event-stream';
    // It rejects when its client goes while it writes.
    if (streaming && request.url === streamPath)
      return void streams(request, response).catch(() => response.destroy());
    if (request.method !== 'POST' || request.url !== '/graphql' || streaming)
      return otherwise(request, response);
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { query } = JSON.parse(Buffer.concat(chunks).toString()) as { query: string };
      void graphql({ schema, source: query }).then(result => {
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify(result));
      });
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  if (webSocket) {
    const { path, older = false } = webSocket;
    const sockets = new WebSocketServer({
      server,
      path,
      handleProtocols: offered => {
        const known = older ? 'graphql-ws' : 'graphql-transport-ws';
        return offered.has(known) ? known : false;
      },
    });
    if (older) sockets.on('connection', socket => serveOlderProtocol(socket, schema));
    else useServer({ schema }, sockets);
  }
  servers.push(server);
  return (server.address() as AddressInfo).port;
}

const notAllowed: RequestListener = (_request, response) => {
  response.writeHead(405, { 'content-type': 'text/html' });
  response.end('<h1>Method not allowed</h1>');
};

const servers: Server[] = [];
afterAll(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

describe("a subgraph's subscriptions are found", () => {
  const front = useFront();

  async function register(name: string, served: Served, metadata: Record<string, string> = {}) {
    const port = await serve(name, served);
    await registerInstance({ registryUrl: front.registryUrl, name, port, leaseSeconds: 300, metadata });
    await expect
      .poll(async () => (await front.supergraph()).subgraphs.map(each => each.name), { timeout: 10_000 })
      .toContain(name);
  }

  async function count(name: string, to: number) {
    const results: unknown[] = [];
    try {
      for await (const result of front.anyone.subscribe(`subscription { ${name}Counted(to: ${to}) }`))
        results.push(result);
    } catch (errors) {
      results.push({ errors });
    }
    return results;
  }
  const three = (name: string) => [1, 2, 3].map(at => ({ data: { [`${name}Counted`]: at } }));
  const open = (subgraph: string) => metricOf(front.gateway, 'gateway_live_upstreams', { subgraph });

  const cases: [string, string, Served, Record<string, string>][] = [
    ['at graphql-transport-ws', 'modern', { webSocket: { path: '/graphql' } }, {}],
    [
      'at the path that it registered',
      'elsewhere',
      { webSocket: { path: '/subscriptions' } },
      { 'graphql.subscriptions.path': '/subscriptions' },
    ],
    [
      'at the protocol before graphql-transport-ws',
      'older',
      { webSocket: { path: '/graphql', older: true } },
      {},
    ],
    [
      'at the protocol before graphql-transport-ws that it registered',
      'named',
      { webSocket: { path: '/graphql', older: true } },
      { 'graphql.subscriptions.protocol': 'graphql-ws' },
    ],
    ['as Server-Sent Events', 'streamed', { streamPath: '/graphql' }, {}],
    [
      'as Server-Sent Events that it registered',
      'registered',
      { streamPath: '/stream' },
      { 'graphql.subscriptions.protocol': 'graphql-sse', 'graphql.subscriptions.path': '/stream' },
    ],
    [
      'in spite of a protocol that nobody knows',
      'misnamed',
      { streamPath: '/graphql' },
      { 'graphql.subscriptions.protocol': 'websocket' },
    ],
  ];
  test.each(cases)('%s', async (_where, name, served, metadata) => {
    await register(name, served, metadata);
    expect(await count(name, 3)).toEqual(three(name));
    expect(await count(name, 3)).toEqual(three(name));

    const [refused] = await count(name, -1);
    expect(refused).toMatchObject({ errors: [{ message: 'It counts upwards only' }] });

    for await (const result of front.anyone.subscribe(`subscription { ${name}Counted(to: 0) }`)) {
      expect(result).toEqual({ data: { [`${name}Counted`]: 1 } });
      expect(await open(name)).toBe(1);
      break;
    }
    await expect.poll(() => open(name), { timeout: 5_000 }).toBe(0);
  });

  test.each([
    ['a page with 405', 'paged', notAllowed, 'status 405 and text/html'],
    [
      'errors with 400',
      'erring',
      ((_request, response) => {
        response.writeHead(400, { 'content-type': 'application/json' });
        response.end('{"errors":[{"message":"Subscriptions are not supported"}]}');
      }) satisfies RequestListener,
      'status 400 and application/json',
    ],
  ])(
    'not, and the client and the log say so, where everything is answered by %s',
    async (_what, name, otherwise, came) => {
      await register(name, { otherwise });
      const startedAt = performance.now();
      for (const _client of [1, 2])
        expect(await count(name, 3)).toEqual([
          {
            errors: [
              {
                message: `The subgraph '${name}' serves no subscriptions in a protocol that the gateway speaks (graphql-transport-ws, graphql-ws, graphql-sse)`,
                extensions: { code: 'SUBSCRIPTIONS_UNSUPPORTED', subgraph: name },
              },
            ],
          },
        ]);
      // Found out by what came, not by waiting for what does not come.
      expect(performance.now() - startedAt).toBeLessThan(2_000);
      const warnings = front
        .log('gateway')
        .split('\n')
        .filter(line => line.includes('"level":"warn"') && line.includes(`"subgraph":"${name}"`));
      expect(warnings).toHaveLength(1);
      expect(warnings[0]).toContain(`graphql-transport-ws and graphql-ws at http://127.0.0.1:`);
      expect(warnings[0]).toContain(`Server-Sent Events at http://127.0.0.1:`);
      expect(warnings[0]?.split(came)).toHaveLength(3);
    },
  );
});
