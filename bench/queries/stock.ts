import { readFileSync } from 'node:fs';
import {
  ApolloGateway,
  type GraphQLDataSourceProcessOptions,
  RemoteGraphQLDataSource,
} from '@apollo/gateway';
import { ApolloServer } from '@apollo/server';
import { startStandaloneServer } from '@apollo/server/standalone';

/*
 * Stock Apollo Gateway over a supergraph with addresses, which passes on the header that ours does.
 */

interface Context {
  readonly language: string | undefined;
}

class PassingDataSource extends RemoteGraphQLDataSource<Context> {
  override willSendRequest({ request, context }: GraphQLDataSourceProcessOptions<Context>): void {
    // Apollo Gateway loads its graph with a context that is empty.
    const { language } = context as Partial<Context>;
    if (language !== undefined) request.http?.headers.set('accept-language', language);
  }
}

const [, , sdlFile = '', port = '0'] = process.argv;
const server = new ApolloServer<Context>({
  gateway: new ApolloGateway({
    supergraphSdl: readFileSync(sdlFile, 'utf8'),
    buildService: ({ url }) => new PassingDataSource({ url: url ?? '' }),
  }),
});
const { url } = await startStandaloneServer(server, {
  listen: { host: '127.0.0.1', port: Number(port) },
  context: async ({ req }) => ({ language: req.headers['accept-language'] }),
});
process.send?.({ type: 'ready', url });
