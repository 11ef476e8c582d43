import type { FastifyInstance } from 'fastify';
import { Gauge } from 'prom-client';
import { createHttpServer, type Listening, listen } from '../../platform/http.ts';
import type { Closable } from '../../platform/lifecycle.ts';
import type { ProcessContext } from '../../platform/process.ts';
import { readTlsMaterial, type TlsMaterial } from '../../platform/tls/material.ts';
import { reloadTls } from '../../platform/tls/reload.ts';
import type { GatewayConfig } from '../config.ts';
import { allowOrigins } from './cors.ts';
import { createFarewell } from './farewell.ts';

/** The server that clients reach. */
export interface Listener {
  readonly app: FastifyInstance;
  /** True if it is served over TLS. */
  readonly isSecure: boolean;
  /** Sends clients away that keep connections open. Close it before the server, when the process takes nothing new. */
  readonly farewell: Closable;
  /** Starts listening. */
  listen(): Promise<Listening>;
}

/** Makes the server for clients, which does not listen yet: over TLS where there is a certificate, for the pages that may ask it. */
export async function createListener(context: ProcessContext<GatewayConfig>): Promise<Listener> {
  const { config, log, metrics, scope } = context;
  const tls = readTlsMaterial(config);
  const app = createHttpServer({
    log,
    config,
    metrics,
    tls,
    bodyLimitBytes: config.OPERATION_MAX_REQUEST_BYTES,
  });
  const expiry = new Gauge({
    name: 'gateway_tls_certificate_expires_seconds',
    help: 'Time at which the certificate that clients are served with expires, in seconds since 1970; 0 without TLS.',
    registers: [metrics],
  });
  const observe = (material: TlsMaterial) => expiry.set(material.expiresAtMs / 1_000);
  if (tls) {
    observe(tls);
    // The server is one over TLS, whatever Fastify's type says.
    const server = app.server as unknown as Parameters<typeof reloadTls>[0]['server'];
    scope.use(
      'renewal of the certificate',
      reloadTls({ server, config, material: tls, onRenewed: observe, log }),
    );
  }
  await allowOrigins(app, config);
  const farewell = createFarewell(app);
  return {
    app,
    farewell,
    isSecure: tls !== undefined,
    listen: async () =>
      scope.use('HTTP server', await listen(app, { host: config.HOST, port: config.GATEWAY_PORT })),
  };
}
