import {
  createLocalJWKSet,
  createRemoteJWKSet,
  decodeJwt,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import { PorticoError } from '../../platform/errors.ts';
import { watchFile } from '../../platform/watched-file.ts';
import type { GatewayConfig } from '../config.ts';

/** Settings of the issuers of clients' tokens. */
export type IssuerConfig = Pick<
  GatewayConfig,
  'JWT_JWKS_URL' | 'JWT_ISSUER' | 'JWT_AUDIENCE' | 'JWT_ALGORITHMS' | 'JWT_CLOCK_TOLERANCE_SECONDS'
>;

/** Verifies a client's token. @throws an error of `jose`; PorticoError SERVICE_UNAVAILABLE when the keys can't be had */
export type VerifyToken = (token: string) => Promise<JWTPayload>;

/** Keys, and the values of `iss` in tokens that they may sign; none for any. */
interface Issuer {
  readonly keys: JWTVerifyGetKey;
  readonly names: readonly string[];
}

/**
 * Opens the keys of the issuers. One set of keys is for all issuers; of several sets, each is for the issuer in the same place,
 * and signs no token of another.
 *
 * @returns undefined when there are no keys, so that no token can be verified
 * @throws Error when several sets of keys do not have an issuer each, or a file of keys can't be read
 */
export function openIssuers(config: IssuerConfig): VerifyToken | undefined {
  const { JWT_JWKS_URL: urls, JWT_ISSUER: names } = config;
  if (urls.length === 0) return undefined;
  if (urls.length > 1 && urls.length !== names.length)
    throw new Error(
      `JWT_JWKS_URL has ${urls.length} sets of keys, and JWT_ISSUER ${names.length} issuers; name one issuer for each set, in the same order`,
    );
  const keys = urls.map(url => openKeys(new URL(url)));
  const issuers = keys.map(
    (each, place): Issuer => ({
      keys: each,
      names: keys.length > 1 ? [names[place] ?? ''] : names,
    }),
  );
  const { JWT_AUDIENCE: audience, JWT_ALGORITHMS: algorithms, JWT_CLOCK_TOLERANCE_SECONDS } = config;
  return async token => {
    const issuer = issuerOf(token, issuers);
    const { payload } = await jwtVerify(token, issuer.keys, {
      algorithms,
      clockTolerance: JWT_CLOCK_TOLERANCE_SECONDS,
      ...(issuer.names.length > 0 ? { issuer: [...issuer.names] } : {}),
      ...(audience.length > 0 ? { audience } : {}),
    });
    return payload;
  };
}

/** Chooses an issuer by what a token says; its signature then shows whether that is true. */
function issuerOf(token: string, issuers: readonly Issuer[]): Issuer {
  const [first] = issuers;
  if (first && issuers.length === 1) return first;
  const { iss } = decodeJwt(token);
  const issuer = issuers.find(({ names }) => iss !== undefined && names.includes(iss));
  if (!issuer) throw new errors.JWTInvalid('its "iss" is none of the issuers that this gateway knows');
  return issuer;
}

function openKeys(url: URL): JWTVerifyGetKey {
  if (url.protocol !== 'file:') return openRemoteKeys(url);
  const keys = watchFile(url, text => createLocalJWKSet(JSON.parse(text) as JSONWebKeySet));
  return (header, token) => keys()(header, token);
}

/** Keys that the issuer serves. That it can't be reached, or serves no keys, says nothing about a token. */
function openRemoteKeys(url: URL): JWTVerifyGetKey {
  const keys = createRemoteJWKSet(url);
  return async (header, token) => {
    try {
      return await keys(header, token);
    } catch (cause) {
      if (isFaultOfToken(cause)) throw cause;
      throw new PorticoError('SERVICE_UNAVAILABLE', "The issuer's keys can't be had; try again", { cause });
    }
  };
}

/** Tells whether the keys are there, but none of them is the token's. */
function isFaultOfToken(error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSENotSupported
  );
}
