import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type FastifyBaseLogger, type FastifyInstance, fastify, LogController } from 'fastify';
import type { Registry } from 'prom-client';
import { closeConnectionsAtClose } from './closing-connections.ts';
import type { ProcessConfig } from './config.ts';
import { messageOf, PorticoError } from './errors.ts';
import { isHost, namesOneHost } from './host-header.ts';
import { httpTimeoutsOf } from './http-timeouts.ts';
import type { Closable } from './lifecycle.ts';
import type { Logger } from './log.ts';
import { httpServerDuration } from './metrics.ts';
import type { TlsMaterial } from './tls/material.ts';
import { createSecureServer } from './tls/secure-server.ts';
import { readTraceContext, runInTrace } from './trace-context.ts';

/** Options of a server. */
export interface HttpServerOptions {
  readonly log: Logger;
  /** Times that clients have. */
  readonly config: Pick<ProcessConfig, 'HTTP_HEADERS_TIMEOUT_MS' | 'HTTP_REQUEST_TIMEOUT_MS'>;
  /** Registry of the durations of requests; none for a management server. */
  readonly metrics?: Registry;
  /** Certificate with which it is served over TLS, by HTTP/2 and HTTP/1.1; without it, by HTTP/1.1 without TLS. */
  readonly tls?: TlsMaterial | undefined;
  /** Largest request body. @default 1 MiB */
  readonly bodyLimitBytes?: number;
}

/**
 * Makes an HTTP server that is not yet listening. Errors answer `{ error: { code, message } }`; what was not
 * meant for the client is logged and masked.
 */
export function createHttpServer({
  log,
  config,
  metrics,
  tls,
  bodyLimitBytes = 1024 * 1024,
}: HttpServerOptions): FastifyInstance {
  const timeouts = httpTimeoutsOf(config);
  const app = fastify({
    http: timeouts,
    requestTimeout: timeouts.requestTimeout,
    keepAliveTimeout: timeouts.keepAliveTimeout,
    ...(tls
      ? { serverFactory: (handler: RequestListener) => createSecureServer(handler, tls, timeouts) }
      : {}),
    loggerInstance: log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: bodyLimitBytes,
    // While closing, requests on connections that are already open are still served: nobody who was sent here
    // by a registry that has not yet heard of the shutdown may see a failure.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    // Ids of instances are longer than the router expects.
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 1_000 },
  });

  app.setErrorHandler((error, request, reply) => {
    const status = error instanceof PorticoError ? error.httpStatus : statusOf(error);
    if (status >= 500) request.log.error({ err: error }, `${request.method} ${request.url} failed`);
    const code = error instanceof PorticoError ? error.code : codeOf(status);
    const message = status === 500 ? 'Internal server error' : messageOf(error);
    return reply.code(status).send({ error: { code, message } });
  });
  app.setNotFoundHandler((request, reply) =>
    reply.code(404).send({
      error: { code: 'NOT_FOUND', message: `Nothing is served at ${request.method} ${request.url}` },
    }),
  );
  app.addHook('onRequest', (request, _reply, done) => {
    if (isHost(request.host) && namesOneHost(request.raw.rawHeaders)) done();
    else done(new PorticoError('BAD_USER_INPUT', 'The header Host is not valid, or comes twice'));
  });
  // After the body is read: what its stream calls back is not part of what began before.
  app.addHook('preHandler', (request, _reply, done) => runInTrace(readTraceContext(request.headers), done));
  closeConnectionsAtClose(app);
  if (metrics) measureRequests(app, metrics);
  return app;
}

function statusOf(error: unknown): number {
  const status = (error as { statusCode?: unknown }).statusCode;
  return typeof status === 'number' && status >= 400 ? status : 500;
}

function codeOf(status: number): string {
  return status >= 500 ? 'INTERNAL_SERVER_ERROR' : 'BAD_USER_INPUT';
}

function measureRequests(app: FastifyInstance, metrics: Registry): void {
  const duration = httpServerDuration(metrics);
  app.addHook('onResponse', (request, reply, done) => {
    duration.observe(
      {
        method: request.method,
        route: request.routeOptions.url ?? 'unmatched',
        status: String(reply.statusCode),
      },
      reply.elapsedTime / 1000,
    );
    done();
  });
}

/** A server that listens. */
export interface Listening extends Closable {
  readonly port: number;
}

/**
 * Starts listening. Closing stops taking connections, lets the requests in flight end, then resolves.
 *
 * @throws Error naming the port when it is taken
 */
export async function listen(
  app: FastifyInstance,
  { host, port }: { host: string; port: number },
): Promise<Listening> {
  try {
    await app.listen({ host, port, listenTextResolver: address => `Listening at ${address}` });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE')
      throw new Error(`Port ${port} on ${host} is taken by another process`, { cause: error });
    throw error;
  }
  return { port: (app.server.address() as AddressInfo).port, close: () => app.close() };
}
