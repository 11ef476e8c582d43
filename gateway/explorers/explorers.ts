import { readFileSync } from 'node:fs';
import fastifyStatic from '@fastify/static';
import { getDistDirectory, renderAltair } from 'altair-static';
import type { FastifyInstance } from 'fastify';
import type { GatewayConfig } from '../config.ts';
import { type ExplorerSettings, renderSandbox } from './sandbox.ts';

/** Serves Apollo Sandbox at `/`, and at `/ide/` Altair, from files of this process, for machines without internet. */
export async function serveExplorers(app: FastifyInstance, config: GatewayConfig): Promise<void> {
  const settings: ExplorerSettings = {
    document: config.EXPLORER_DOCUMENT_FILE ? readFileSync(config.EXPLORER_DOCUMENT_FILE, 'utf8') : '',
    headers: config.EXPLORER_AUTHORIZATION ? { Authorization: config.EXPLORER_AUTHORIZATION } : {},
  };
  const sandbox = renderSandbox(settings);
  app.get('/', (_request, reply) => reply.type('text/html').send(sandbox));
  await app.register(fastifyStatic, { root: getDistDirectory(), serve: false });
  app.get('/ide', (request, reply) =>
    request.url.startsWith('/ide/')
      ? reply.type('text/html').send(renderIde(settings, `${request.protocol}://${request.host}`))
      : reply.redirect('/ide/'),
  );
  app.get<{ Params: { '*': string } }>('/ide/*', (request, reply) => reply.sendFile(request.params['*']));
}

/** Altair wants the address for subscriptions to be absolute, so its page depends on where it is asked for. */
function renderIde({ document, headers }: ExplorerSettings, origin: string): string {
  return renderAltair({
    baseURL: '/ide/',
    endpointURL: `${origin}/graphql`,
    subscriptionsEndpoint: `${origin.replace(/^http/, 'ws')}/graphql`,
    initialQuery: document,
    initialHeaders: { ...headers },
    initialSubscriptionRequestHandlerId: 'graphql-ws',
    initialSubscriptionsPayload: { ...headers },
  });
}
