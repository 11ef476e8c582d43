import { isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';
import { bearerTokenOf } from './bearer.ts';
import { PorticoError } from './errors.ts';
import { createSecretCheck } from './secret.ts';

/** Decides who may use the management endpoints. */
export interface ManagementAccess {
  /** True if a request may see internals, and change the process. */
  isOperator(request: FastifyRequest): boolean;
  /** @throws PorticoError UNAUTHENTICATED, or FORBIDDEN where nobody may until a token is set */
  check(request: FastifyRequest): void;
}

interface AccessOptions {
  /** Address that the server binds. */
  readonly host: string;
  /** MANAGEMENT_TOKEN. */
  readonly token: string | undefined;
}

/** Endpoints that probes, Prometheus and registries ask, and that show no internals. */
const openPaths = /^\/actuator(\/health(\/(liveness|readiness))?|\/info|\/prometheus)?\/?$/;

/**
 * Creates the access: with a token, whoever shows it is an operator; without one, whoever reaches an endpoint that is bound to
 * the machine itself.
 */
export function createManagementAccess({ host, token }: AccessOptions): ManagementAccess {
  const isToken = token === undefined ? undefined : createSecretCheck(token);
  const isLocal = isLoopback(host);

  function isOperator({ headers: { authorization = '' } }: FastifyRequest): boolean {
    if (!isToken) return isLocal;
    const shown = bearerTokenOf(authorization);
    return shown !== undefined && isToken(shown);
  }

  return {
    isOperator,
    check(request) {
      if (openPaths.test(request.url.split('?', 1)[0] ?? '') || isOperator(request)) return;
      if (isToken)
        throw new PorticoError(
          'UNAUTHENTICATED',
          'This endpoint needs MANAGEMENT_TOKEN, as "Bearer" in the header Authorization',
        );
      throw new PorticoError(
        'FORBIDDEN',
        `This endpoint is closed, because the port is bound to ${host} and MANAGEMENT_TOKEN is not set`,
      );
    },
  };
}

function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true;
  return isIP(host) === 4 && host.startsWith('127.');
}
