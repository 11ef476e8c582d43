import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buildSubgraphSchema } from '@apollo/subgraph';
import { type ExecutionArgs, type GraphQLSchema, graphql, parse, subscribe } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';

/** A subgraph that a test serves by itself, as a team with its own stack would: plain GraphQL over HTTP. */
export interface TestSubgraph {
  readonly port: number;
  /** Requests that it got since it was last asked, but for those of its SDL. */
  takeRequests(): TestRequest[];
  /** Registers by plain Eureka REST. */
  register(): Promise<void>;
  /** Serves another schema on another port from now on, and registers that in the place of the first. */
  change(typeDefs: string, resolvers: object): Promise<void>;
  /** Takes the instance out of the registry. */
  deregister(): Promise<void>;
  /** Stops serving at once; connections are cut. */
  close(): Promise<void>;
}

/** One request to a test subgraph. */
export interface TestRequest {
  readonly query: string;
  readonly headers: IncomingHttpHeaders;
}

/** Options of a test subgraph. */
export interface TestSubgraphOptions {
  readonly name: string;
  readonly registryUrl: string;
  readonly typeDefs: string;
  readonly resolvers: object;
  /** Tells instances of one subgraph apart. @default `name` */
  readonly instance?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  /** Seconds that the lease lasts; nobody renews it. @default 90 */
  readonly leaseSeconds?: number;
  /** Headers of every answer. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Extensions of every answer. */
  readonly extensions?: Readonly<Record<string, unknown>>;
}

/** Serves a subgraph on a free port; it is not registered yet. */
export async function serveTestSubgraph(options: TestSubgraphOptions): Promise<TestSubgraph> {
  const { name, registryUrl, metadata, instance = name, leaseSeconds = 90 } = options;
  let served = await serve(options.typeDefs, options.resolvers, options);

  async function register(): Promise<void> {
    await registerInstance({ registryUrl, name, instance, port: served.port, metadata, leaseSeconds });
  }

  return {
    get port() {
      return served.port;
    },
    takeRequests: () => served.takeRequests(),
    register,
    async change(typeDefs, resolvers) {
      const before = served;
      served = await serve(typeDefs, resolvers, options);
      await register();
      await before.close();
    },
    async deregister() {
      const response = await fetch(`${registryUrl}/apps/${name.toUpperCase()}/127.0.0.1:${instance}`, {
        method: 'DELETE',
      });
      if (response.status !== 200) throw new Error(`Deregistering expected 200, but got ${response.status}`);
    },
    close: () => served.close(),
  };
}

interface Registration {
  readonly registryUrl: string;
  readonly name: string;
  readonly port: number;
  /** Tells instances of one service apart. @default `name` */
  readonly instance?: string;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  readonly leaseSeconds: number;
}

let registrations = 0;

/** Registers an instance on this host, as a client in any language would. */
export async function registerInstance(registration: Registration): Promise<void> {
  const { registryUrl, name, port, instance = name, metadata, leaseSeconds } = registration;
  const app = name.toUpperCase();
  registrations += 1;
  const response = await fetch(`${registryUrl}/apps/${app}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      instance: {
        instanceId: `127.0.0.1:${instance}`,
        app,
        hostName: '127.0.0.1',
        ipAddr: '127.0.0.1',
        vipAddress: name,
        status: 'UP',
        port: { $: port, '@enabled': 'true' },
        dataCenterInfo: {
          '@class': 'com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo',
          name: 'MyOwn',
        },
        leaseInfo: { renewalIntervalInSecs: Math.ceil(leaseSeconds / 3), durationInSecs: leaseSeconds },
        metadata: { ...metadata },
        lastDirtyTimestamp: String(Date.now() + registrations),
      },
    }),
  });
  if (response.status !== 204)
    throw new Error(`Registering expected 204, but got ${response.status} ${await response.text()}`);
}

async function serve(
  typeDefs: string,
  resolvers: object,
  { headers, extensions }: Pick<TestSubgraphOptions, 'headers' | 'extensions'>,
) {
  const schema = buildSubgraphSchema({ typeDefs: parse(typeDefs), resolvers: resolvers as never });
  let requests: TestRequest[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { query, variables } = JSON.parse(Buffer.concat(chunks).toString()) as {
        query: string;
        variables?: Record<string, unknown>;
      };
      if (!query.includes('_service')) requests.push({ query, headers: request.headers });
      void graphql({ schema, source: query, variableValues: variables, contextValue: request.headers }).then(
        result => {
          response.writeHead(200, { 'content-type': 'application/json', ...headers });
          response.end(JSON.stringify({ ...result, extensions }));
        },
      );
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const sockets = serveSubscriptions(server, schema);
  return {
    port: (server.address() as AddressInfo).port,
    takeRequests() {
      const taken = requests;
      requests = [];
      return taken;
    },
    async close() {
      for (const socket of sockets.clients) socket.terminate();
      server.closeAllConnections();
      if (server.listening) {
        server.close();
        await once(server, 'close');
      }
    },
  };
}

/** Context of a subscription's resolver, which may say where its events begin. */
export interface TestSubscriptionContext {
  readonly extensions: Readonly<Record<string, unknown>>;
  startCursor?: string;
}

function serveSubscriptions(server: Server, schema: GraphQLSchema): WebSocketServer {
  const sockets = new WebSocketServer({ server, path: '/graphql' });
  useServer(
    {
      schema,
      context: (_connection, _id, payload): TestSubscriptionContext => ({
        extensions: payload.extensions ?? {},
      }),
      async subscribe(args) {
        const results = await subscribe(args as ExecutionArgs);
        const { startCursor, extensions } = args.contextValue as TestSubscriptionContext;
        if (!(Symbol.asyncIterator in results) || !startCursor || !extensions['startCursor']) return results;
        return startingWith({ extensions: { cursor: startCursor } }, results);
      },
    },
    sockets,
  );
  return sockets;
}

/** Can be ended while it waits, as a generator can't. */
function startingWith<T>(first: T, others: AsyncGenerator<T>): AsyncIterableIterator<T> {
  const firsts = [first];
  return {
    next() {
      const value = firsts.shift();
      return value === undefined ? others.next() : Promise.resolve({ done: false, value });
    },
    return: () => others.return(undefined),
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
