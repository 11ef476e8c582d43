import cors, { type FastifyCorsOptions } from '@fastify/cors';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { GatewayConfig } from '../config.ts';

/** Lets pages of the origins that are listed use the graph, with cookies where that is set; * lists all, without. */
export async function allowOrigins(
  app: FastifyInstance,
  { CORS_ORIGINS: origins, CORS_CREDENTIALS }: Pick<GatewayConfig, 'CORS_ORIGINS' | 'CORS_CREDENTIALS'>,
): Promise<void> {
  if (origins.length === 0) return;
  const origin = origins.includes('*') ? true : origins;
  await app.register(cors, {
    delegator(request: FastifyRequest, callback: (error: null, options: FastifyCorsOptions) => void) {
      const credentials = CORS_CREDENTIALS && origins.includes(request.headers.origin ?? '');
      callback(null, { origin, credentials });
    },
  });
}
