import { jwtVerify, SignJWT } from 'jose';
import { LRUCache } from 'lru-cache';
import * as z from 'zod';
import { PorticoError } from './errors.ts';

/** Party that a request is made for: a customer that the gateway has authenticated, or a service of the system itself. */
export interface Caller {
  readonly kind: 'customer' | 'service';
  /** The customer's id (the token's `sub`), or the service's name. */
  readonly id: string;
  readonly scopes: readonly string[];
}

/** Header, and key in a subscription's `extensions`, that carries the caller between processes of the system. */
export const callerHeader = 'x-portico-caller';

/** Settings of a process that signs and verifies callers. */
export const callerSettings = z.object({
  CALLER_SECRET: z
    .string()
    .min(32)
    .describe(
      'Secret that the gateway and the services share to pass the caller on; at least 32 characters.',
    ),
});

/** Seconds for which a caller's token is good: long enough for one request on its way, useless when it leaks. */
export const callerTokenLifetimeSeconds = 60;

const audience = 'portico';
/** Tokens remembered, so that the signature of one that comes often is verified once. */
const maxRememberedTokens = 1_000;
const claims = z.object({
  sub: z.string().min(1),
  exp: z.number(),
  kind: z.enum(['customer', 'service']),
  scope: z.string(),
});

/** Signs and verifies callers with the secret that the gateway and the services share. */
export interface CallerTokens {
  sign(caller: Caller): Promise<string>;
  /** The caller that the token names; undefined for no token. @throws PorticoError UNAUTHENTICATED for a bad one */
  verify(token: string | undefined): Promise<Caller | undefined>;
}

/**
 * Makes the signer and verifier. A token is a JWT (RFC 7519), HS256, so that a subgraph in any language can check it.
 *
 * @param secret at least 32 characters, the same in every process
 */
export function createCallerTokens(secret: string): CallerTokens {
  const key = new TextEncoder().encode(secret);
  const remembered = new LRUCache<string, { readonly caller: Caller; readonly expiresAtMs: number }>({
    max: maxRememberedTokens,
  });
  return {
    sign({ kind, id, scopes }) {
      return new SignJWT({ kind, scope: scopes.join(' ') })
        .setProtectedHeader({ alg: 'HS256' })
        .setSubject(id)
        .setAudience(audience)
        .setIssuedAt()
        .setExpirationTime(`${callerTokenLifetimeSeconds}s`)
        .sign(key);
    },
    async verify(token) {
      if (!token) return undefined;
      const known = remembered.get(token);
      if (known && known.expiresAtMs > Date.now()) return known.caller;
      try {
        const { payload } = await jwtVerify(token, key, { audience, algorithms: ['HS256'] });
        const { sub, exp, kind, scope } = claims.parse(payload);
        const caller = { kind, id: sub, scopes: scope.split(' ').filter(Boolean) };
        remembered.set(token, { caller, expiresAtMs: exp * 1000 });
        return caller;
      } catch (cause) {
        throw new PorticoError(
          'UNAUTHENTICATED',
          `The token in the header ${callerHeader} does not verify; the gateway and the services sign theirs with CALLER_SECRET`,
          { cause },
        );
      }
    },
  };
}

/**
 * Creates the source of tokens of a caller for whom many requests are made. Each is signed once in half a lifetime, and good for
 * the other half at least.
 */
export function createTokenSource(tokens: CallerTokens, caller: Caller): () => Promise<string> {
  let signed: Promise<string> | undefined;
  let signedAtMs = 0;
  return () => {
    const now = Date.now();
    if (!signed || now - signedAtMs > (callerTokenLifetimeSeconds * 1000) / 2) {
      signed = tokens.sign(caller);
      signedAtMs = now;
    }
    return signed;
  };
}

/** The customer who asks. @throws PorticoError UNAUTHENTICATED when nobody does, FORBIDDEN for a service */
export function requireCustomer(caller: Caller | undefined): Caller {
  if (!caller)
    throw new PorticoError('UNAUTHENTICATED', 'Sign in first: this operation expected a bearer token');
  if (caller.kind !== 'customer')
    throw new PorticoError('FORBIDDEN', `This operation is a customer's, but ${caller.id} is a service`);
  return caller;
}

/** The caller, who has the scope. @throws PorticoError UNAUTHENTICATED, or FORBIDDEN without the scope */
export function requireScope(caller: Caller | undefined, scope: string): Caller {
  const customer = requireCustomer(caller);
  if (!customer.scopes.includes(scope))
    throw new PorticoError(
      'FORBIDDEN',
      `This operation needs the scope '${scope}', which the token does not have`,
    );
  return customer;
}

/** The service that calls. @throws PorticoError FORBIDDEN for everybody else */
export function requireService(caller: Caller | undefined): Caller {
  if (caller?.kind !== 'service')
    throw new PorticoError('FORBIDDEN', 'This operation is for the services of the system, not for clients');
  return caller;
}
