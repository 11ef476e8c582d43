import { LRUCache } from 'lru-cache';
import * as z from 'zod';
import type { CallerTokens } from '../../platform/caller.ts';
import { PorticoError } from '../../platform/errors.ts';
import { type IssuerConfig, openIssuers } from './issuers.ts';
import { anonymous, createOperationCaller, type OperationCaller } from './operation-caller.ts';

/** Finds the caller of a request by its token. */
export interface Authenticator {
  /**
   * @param authorization value of an Authorization header; undefined for nobody
   * @throws PorticoError UNAUTHENTICATED when it is not a bearer token that verifies; SERVICE_UNAVAILABLE when the
   *   issuer's keys can't be had
   */
  authenticate(authorization: string | undefined): Promise<OperationCaller>;
}

/** Tokens remembered, so that a client's every request does not verify its signature again. */
const maxRememberedTokens = 10_000;

const claimsSchema = z.object({
  sub: z.string().min(1).max(255),
  exp: z.number(),
  scope: z.string().optional(),
  scp: z.union([z.string(), z.array(z.string())]).optional(),
});

/** Makes the authenticator: tokens are JWTs (RFC 7519) with `sub`, `exp` and, for scopes, `scope` (RFC 8693) or `scp`. */
export async function createAuthenticator(
  config: IssuerConfig,
  callers: CallerTokens,
): Promise<Authenticator> {
  const verifyToken = await openIssuers(config);
  const remembered = new LRUCache<string, OperationCaller>({ max: maxRememberedTokens });

  async function verify(token: string): Promise<OperationCaller> {
    if (!verifyToken) throw new Error('this gateway has no JWT_JWKS_URL, so it accepts no tokens');
    const { sub, exp, scope, scp } = claimsSchema.parse(await verifyToken(token));
    const scopes = scope?.split(' ') ?? (typeof scp === 'string' ? scp.split(' ') : scp) ?? [];
    return createOperationCaller(
      { kind: 'customer', id: sub, scopes: scopes.filter(Boolean) },
      callers,
      (exp + config.JWT_CLOCK_TOLERANCE_SECONDS) * 1000,
    );
  }

  return {
    async authenticate(authorization) {
      if (!authorization) return anonymous;
      const [, token] = /^bearer\s+(\S+)$/i.exec(authorization.trim()) ?? [];
      if (!token) throw unauthenticated('The header Authorization must be "Bearer" and a token');
      const known = remembered.get(token);
      if (known?.expiresAtMs !== undefined && known.expiresAtMs > Date.now()) return known;
      remembered.delete(token);
      try {
        const verified = await verify(token);
        remembered.set(token, verified);
        return verified;
      } catch (cause) {
        if (cause instanceof PorticoError) throw cause;
        const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : (cause as Error).message;
        throw unauthenticated(`The bearer token is not accepted: ${reason}`, cause);
      }
    },
  };
}

function unauthenticated(message: string, cause?: unknown): PorticoError {
  return new PorticoError('UNAUTHENTICATED', message, { cause });
}
