import { randomBytes } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from 'jose';
import { createFile, readIfThere, replaceFile } from '../platform/whole-file.ts';

/** Keys of a system on one machine, made at its first start. */
export interface DevKeys {
  /** Address of the public keys, for the gateway's JWT_JWKS_URL. */
  readonly jwksUrl: string;
  /** Secret that the processes share, for CALLER_SECRET. */
  readonly callerSecret: string;
  /** Makes a token of a customer. @param options.lifetime as jose writes it, such as `5s`. @default `12h` */
  mintToken(customer: string, options?: { scopes?: readonly string[]; lifetime?: string }): Promise<string>;
}

const algorithm = 'ES256';
const defaultLifetime = '12h';

/** Opens the keys in a data folder, or makes them. */
export async function openDevKeys(dataDir: string): Promise<DevKeys> {
  const folder = join(dataDir, 'keys');
  await mkdir(dataDir, { recursive: true });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const privateJwk = JSON.parse(await readOrCreate(join(folder, 'private.jwk'), createPrivateJwk)) as JWK;
  const { d: _private, ...publicJwk } = privateJwk;
  const jwksFile = join(folder, 'jwks.json');
  await replaceFile(jwksFile, JSON.stringify({ keys: [publicJwk] }));
  const callerSecret = await readOrCreate(join(folder, 'caller.secret'), async () =>
    randomBytes(32).toString('base64url'),
  );
  const key = await importJWK(privateJwk, algorithm);
  return {
    jwksUrl: pathToFileURL(jwksFile).href,
    callerSecret,
    mintToken: (customer, { scopes = [], lifetime = defaultLifetime } = {}) =>
      new SignJWT(scopes.length > 0 ? { scope: scopes.join(' ') } : {})
        .setProtectedHeader({ alg: algorithm, kid: privateJwk.kid ?? '' })
        .setSubject(customer)
        .setIssuedAt()
        .setExpirationTime(lifetime)
        .sign(key),
  };
}

async function createPrivateJwk(): Promise<string> {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true });
  const jwk = await exportJWK(privateKey);
  return JSON.stringify({ ...jwk, alg: algorithm, use: 'sig', kid: await calculateJwkThumbprint(jwk) });
}

/** Two processes that start at once agree on whichever wrote first. */
async function readOrCreate(file: string, create: () => Promise<string>): Promise<string> {
  const known = await readIfThere(file);
  if (known !== '') return known;
  await createFile(file, await create(), 0o600).catch(error => {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  });
  return readFile(file, 'utf8');
}
