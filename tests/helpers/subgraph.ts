import { ApolloServer } from '@apollo/server';
import { ApolloServerPluginInlineTraceDisabled } from '@apollo/server/plugin/disabled';
import { startStandaloneServer } from '@apollo/server/standalone';
import { buildSubgraphSchema } from '@apollo/subgraph';
import { parse } from 'graphql';

/** A subgraph that a test serves by itself, as a team with its own stack would. */
export interface TestSubgraph {
  readonly port: number;
  /** Registers by plain Eureka REST. */
  register(): Promise<void>;
  /** Registers the same instance with another schema hash, once the new schema is served. */
  change(typeDefs: string, resolvers: object): Promise<void>;
  /** Takes the instance out of the registry. */
  deregister(): Promise<void>;
  close(): Promise<void>;
}

interface TestSubgraphOptions {
  readonly name: string;
  readonly registryUrl: string;
  readonly typeDefs: string;
  readonly resolvers: object;
  /** Added to the instance's metadata. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Serves a subgraph on a free port; it is not registered yet. */
export async function serveTestSubgraph(options: TestSubgraphOptions): Promise<TestSubgraph> {
  const { name, registryUrl, metadata } = options;
  const app = name.toUpperCase();
  let served = await serve(options.typeDefs, options.resolvers);
  let registrations = 0;

  async function register(): Promise<void> {
    const instanceId = `127.0.0.1:${name}`;
    registrations += 1;
    const response = await fetch(`${registryUrl}/apps/${app}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        instance: {
          instanceId,
          app,
          hostName: '127.0.0.1',
          ipAddr: '127.0.0.1',
          vipAddress: name,
          status: 'UP',
          port: { $: served.port, '@enabled': 'true' },
          dataCenterInfo: {
            '@class': 'com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo',
            name: 'MyOwn',
          },
          leaseInfo: { renewalIntervalInSecs: 30, durationInSecs: 90 },
          metadata: { ...metadata },
          lastDirtyTimestamp: String(Date.now() + registrations),
        },
      }),
    });
    if (response.status !== 204)
      throw new Error(`Registering expected 204, but got ${response.status} ${await response.text()}`);
  }

  return {
    get port() {
      return served.port;
    },
    register,
    async change(typeDefs, resolvers) {
      const before = served;
      served = await serve(typeDefs, resolvers);
      await register();
      await before.close();
    },
    async deregister() {
      const response = await fetch(`${registryUrl}/apps/${app}/127.0.0.1:${name}`, { method: 'DELETE' });
      if (response.status !== 200) throw new Error(`Deregistering expected 200, but got ${response.status}`);
    },
    close: () => served.close(),
  };
}

async function serve(typeDefs: string, resolvers: object) {
  const server = new ApolloServer({
    schema: buildSubgraphSchema({ typeDefs: parse(typeDefs), resolvers: resolvers as never }),
    stopOnTerminationSignals: false,
    plugins: [ApolloServerPluginInlineTraceDisabled()],
  });
  const { url } = await startStandaloneServer(server, { listen: { port: 0, host: '127.0.0.1' } });
  return { port: Number(new URL(url).port), close: () => server.stop() };
}
