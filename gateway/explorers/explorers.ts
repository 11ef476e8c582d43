import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';
import type { GatewayConfig } from '../config.ts';
import { contentSecurityPolicy, renderIde } from './ide/render.ts';
import { type ExplorerSettings, renderSandbox } from './sandbox.ts';

const pageHeaders = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
} as const;

/** Sandbox loads scripts and frames of Apollo's; the page itself is framed by nobody. */
const sandboxPolicy = "base-uri 'none'; form-action 'none'; object-src 'none'; frame-ancestors 'none'";

/** Serves Apollo Sandbox at `/`, and at `/ide/` GraphiQL, from files of this process, for machines without internet. */
export async function serveExplorers(app: FastifyInstance, config: GatewayConfig): Promise<void> {
  const settings: ExplorerSettings = {
    document: config.EXPLORER_DOCUMENT_FILE ? readFileSync(config.EXPLORER_DOCUMENT_FILE, 'utf8') : '',
    headers: config.EXPLORER_AUTHORIZATION ? { Authorization: config.EXPLORER_AUTHORIZATION } : {},
  };
  const sandbox = renderSandbox(settings);
  const ide = renderIde(settings);
  app.get('/', (_request, reply) =>
    reply
      .type('text/html')
      .headers({ ...pageHeaders, 'content-security-policy': sandboxPolicy })
      .send(sandbox),
  );
  await app.register(fastifyStatic, {
    root: fileURLToPath(new URL('ide/generated/', import.meta.url)),
    serve: false,
  });
  app.get('/ide', (request, reply) =>
    request.url.startsWith('/ide/')
      ? reply
          .type('text/html')
          .headers({ ...pageHeaders, 'content-security-policy': contentSecurityPolicy })
          .send(ide)
      : reply.redirect('/ide/'),
  );
  app.get<{ Params: { '*': string } }>('/ide/*', (request, reply) =>
    reply.header('x-content-type-options', 'nosniff').sendFile(request.params['*']),
  );
}
