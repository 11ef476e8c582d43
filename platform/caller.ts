import { type JWTPayload, jwtVerify, SignJWT } from 'jose';
import { LRUCache } from 'lru-cache';
import * as z from 'zod';
import { fileOfSetting } from './config.ts';
import { PorticoError } from './errors.ts';
import { watchFile } from './watched-file.ts';

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
    .refine(
      text => secretsIn(text).length > 0 && secretsIn(text).every(secret => secret.length >= minSecretLength),
      { error: 'must have at least 32 characters; each, where there are several' },
    )
    .describe(
      'Secret that the gateway and the services share to pass the caller on; at least 32 characters. Of several, comma-separated, the first signs and all are accepted; a file of them (CALLER_SECRET_FILE) is read again when it changes.',
    ),
});

const minSecretLength = 32;

function secretsIn(text: string): string[] {
  const parts = text.split(/[,\n]/);
  return parts.length === 1 ? [text] : parts.map(part => part.trim()).filter(Boolean);
}

/** Seconds for which a caller's token is good: long enough for one request on its way, useless when it leaks. */
export const callerTokenLifetimeSeconds = 60;

/** Tokens remembered, so that the signature of one that comes often is verified once. */
const maxRememberedTokens = 1_000;
const claims = z.object({
  sub: z.string().min(1),
  exp: z.number(),
  kind: z.enum(['customer', 'service']),
  scope: z.string(),
});

interface VerifiedCaller {
  readonly caller: Caller;
  readonly service: string;
  readonly expiresAtMs: number;
}

/** Signs and verifies callers with the secret that the gateway and the services share. */
export interface CallerTokens {
  /** @param service the name of the only service that the token is good for, as it registers, in lower case */
  sign(caller: Caller, service: string): Promise<string>;
  /**
   * The caller that a token for this service names; undefined for no token.
   * @throws PorticoError UNAUTHENTICATED for a bad one, or one for another service
   */
  verify(token: string | undefined, service: string): Promise<Caller | undefined>;
}

/** Makes the signer and verifier of a process. The secrets change without a restart when they are in a file. */
export function openCallerTokens(config: Readonly<z.infer<typeof callerSettings>>): CallerTokens {
  const file = fileOfSetting(config, 'CALLER_SECRET');
  if (file === undefined) return createCallerTokens(config.CALLER_SECRET);
  return createCallerTokens(
    watchFile(file, text => callerSettings.parse({ CALLER_SECRET: text }).CALLER_SECRET),
  );
}

/**
 * Makes the signer and verifier. A token is a JWT (RFC 7519), HS256, so that a subgraph in any language can check it. Its
 * `aud` is the service that it is for: no service can use at another what it was sent.
 *
 * @param secret the same in every process, at least 32 characters; several while a new one takes the place of an old one
 */
export function createCallerTokens(secret: string | (() => string)): CallerTokens {
  const keys = createKeys(typeof secret === 'string' ? () => secret : secret);
  const remembered = new LRUCache<string, VerifiedCaller>({ max: maxRememberedTokens });
  return {
    sign({ kind, id, scopes }, service) {
      return new SignJWT({ kind, scope: scopes.join(' ') })
        .setProtectedHeader({ alg: 'HS256' })
        .setSubject(id)
        .setAudience(service)
        .setIssuedAt()
        .setExpirationTime(`${callerTokenLifetimeSeconds}s`)
        .sign(keys()[0] as Uint8Array);
    },
    async verify(token, service) {
      if (!token) return undefined;
      const known = remembered.get(token);
      if (known?.service === service && known.expiresAtMs > Date.now()) return known.caller;
      try {
        const payload = await verifyWithAny(keys(), token, service);
        const { sub, exp, kind, scope } = claims.parse(payload);
        const caller = { kind, id: sub, scopes: scope.split(' ').filter(Boolean) };
        remembered.set(token, { caller, service, expiresAtMs: exp * 1000 });
        return caller;
      } catch (cause) {
        throw new PorticoError(
          'UNAUTHENTICATED',
          `The token in the header ${callerHeader} is not accepted; it must be signed with this service's CALLER_SECRET, have the audience '${service}', and not have expired`,
          { cause },
        );
      }
    },
  };
}

/** Makes the function that gives the keys that count now. */
function createKeys(text: () => string): () => readonly Uint8Array[] {
  let keys: readonly Uint8Array[] = [];
  let ofText: string | undefined;
  return () => {
    const now = text();
    if (now !== ofText) {
      keys = secretsIn(now).map(secret => new TextEncoder().encode(secret));
      ofText = now;
    }
    return keys;
  };
}

/** Verifies a token that one of the keys has signed. @throws the error of the last key */
async function verifyWithAny(
  keys: readonly Uint8Array[],
  token: string,
  audience: string,
): Promise<JWTPayload> {
  let fault: unknown;
  for (const key of keys)
    try {
      return (await jwtVerify(token, key, { audience, algorithms: ['HS256'] })).payload;
    } catch (error) {
      fault = error;
    }
  throw fault;
}

/**
 * Creates the source of tokens of a caller for whom many requests are made. For each service, one is signed in half a lifetime,
 * and is good for the other half at least.
 */
export function createTokenSource(
  tokens: CallerTokens,
  caller: Caller,
): (service: string) => Promise<string> {
  const signedByService = new Map<string, { readonly token: Promise<string>; readonly atMs: number }>();
  return service => {
    const nowMs = Date.now();
    const signed = signedByService.get(service);
    if (signed && nowMs - signed.atMs <= (callerTokenLifetimeSeconds * 1000) / 2) return signed.token;
    const token = tokens.sign(caller, service);
    signedByService.set(service, { token, atMs: nowMs });
    return token;
  };
}

/** The customer who asks. @throws PorticoError UNAUTHENTICATED when nobody does, FORBIDDEN for a service */
export function requireCustomer(caller: Caller | undefined): Caller {
  if (!caller)
    throw new PorticoError('UNAUTHENTICATED', 'Sign in first: this operation needs a bearer token');
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
