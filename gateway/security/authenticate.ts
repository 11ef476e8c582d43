import { LRUCache } from 'lru-cache';
import * as z from 'zod';
import { bearerTokenOf } from '../../platform/bearer.ts';
import type { CallerTokens } from '../../platform/caller.ts';
import { PorticoError } from '../../platform/errors.ts';
import type { DenyList, TokenClaims } from './deny-list.ts';
import { type IssuerConfig, openIssuers } from './issuers.ts';
import { anonymous, createOperationCaller, type OperationCaller } from './operation-caller.ts';

/** Finds the caller of a request by its token. */
export interface Authenticator {
  /**
   * @param authorization value of an Authorization header; undefined for nobody
   * @throws PorticoError UNAUTHENTICATED when it is not a bearer token that verifies, or it is denied; SERVICE_UNAVAILABLE
   *   when the issuer's keys, or the list of denied tokens, can't be had
   */
  authenticate(authorization: string | undefined): Promise<OperationCaller>;
}

/** Tokens remembered, so that a client's every request does not verify its signature again. */
const maxRememberedTokens = 10_000;

const claimsSchema = z.object({
  jti: z.string().optional(),
  iat: z.number().optional(),
  sub: z.string().min(1).max(255),
  exp: z.number(),
  scope: z.string().optional(),
  scp: z.union([z.string(), z.array(z.string())]).optional(),
});

interface VerifiedToken {
  readonly claims: TokenClaims;
  readonly caller: OperationCaller;
}

/** Makes the authenticator: tokens are JWTs (RFC 7519) with `sub`, `exp` and, for scopes, `scope` (RFC 8693) or `scp`. */
export function createAuthenticator(
  config: IssuerConfig,
  callers: CallerTokens,
  denyList?: DenyList,
): Authenticator {
  const verifyToken = openIssuers(config);
  const remembered = new LRUCache<string, VerifiedToken>({ max: maxRememberedTokens });

  async function verify(token: string): Promise<VerifiedToken> {
    if (!verifyToken) throw new Error('this gateway has no JWT_JWKS_URL, so it accepts no tokens');
    const { jti, iat, sub, exp, scope, scp } = claimsSchema.parse(await verifyToken(token));
    const claims = { jti, iat, sub };
    const scopes = scope?.split(' ') ?? (typeof scp === 'string' ? scp.split(' ') : scp) ?? [];
    const caller = createOperationCaller(
      { kind: 'customer', id: sub, scopes: scopes.filter(Boolean) },
      callers,
      (exp + config.JWT_CLOCK_TOLERANCE_SECONDS) * 1000,
    );
    const watched = denyList ? { onDenied: (callback: () => void) => denyList.watch(claims, callback) } : {};
    return { claims, caller: { ...caller, ...watched } };
  }

  async function remember(token: string): Promise<VerifiedToken> {
    const known = remembered.get(token);
    if (known?.caller.expiresAtMs !== undefined && known.caller.expiresAtMs > Date.now()) return known;
    remembered.delete(token);
    const verified = await verify(token);
    remembered.set(token, verified);
    return verified;
  }

  return {
    async authenticate(authorization) {
      if (!authorization) return anonymous;
      const token = bearerTokenOf(authorization);
      if (!token) throw unauthenticated('The header Authorization must be "Bearer" and a token');
      try {
        const { claims, caller } = await remember(token);
        if (denyList?.isDenied(claims)) throw new Error('it has been revoked');
        return caller;
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
