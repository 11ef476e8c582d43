import type { FastifyInstance } from 'fastify';
import { PorticoError } from '../../platform/errors.ts';
import { completeHeader, registryNameHeader } from '../replication/wire.ts';
import type { EurekaContext } from './eureka-context.ts';
import { addReadRoutes } from './read-routes.ts';
import { addReplicationRoute } from './replication-route.ts';
import { addWriteRoutes } from './write-routes.ts';

/** Paths at which Spring's and Netflix's clients look for the API. */
export const eurekaBases = ['/eureka', '/eureka/v2'];

/** Adds Eureka's REST operations, and the change stream, below one base path. */
export function addEurekaRoutes(app: FastifyInstance, context: EurekaContext): void {
  // Clients send types without bodies, and bodies without types: they are decoded where they are wanted.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.setErrorHandler((error, _request, reply) => {
    if (!(error instanceof PorticoError)) throw error;
    return reply.code(error.httpStatus).type('text/plain; charset=utf-8').send(error.message);
  });
  app.addHook('onRequest', async (_request, reply) => {
    reply.header(registryNameHeader, context.name).header(completeHeader, String(context.isComplete()));
  });
  addReadRoutes(app, context);
  addWriteRoutes(app, context);
  addReplicationRoute(app, context);
}
