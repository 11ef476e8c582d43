import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCallerTokens } from '../../platform/caller.ts';
import type { GatewayConfig } from '../config.ts';
import { type Authenticator, createAuthenticator } from './authenticate.ts';

const tokens = createCallerTokens('a secret of at least thirty-two characters');

describe('a client', () => {
  let folder = '';
  let keys: Awaited<ReturnType<typeof generateKeyPair>>;
  let authenticator: Authenticator;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'portico-jwks-'));
    keys = await generateKeyPair('ES256', { extractable: true });
    const file = join(folder, 'jwks.json');
    await writeFile(file, JSON.stringify({ keys: [{ ...(await exportJWK(keys.publicKey)), kid: 'k1' }] }));
    const config = {
      JWT_JWKS_URL: pathToFileURL(file).href,
      JWT_ISSUER: 'https://login',
      JWT_AUDIENCE: 'shop',
    };
    authenticator = await createAuthenticator(config as GatewayConfig, tokens);
  });
  afterAll(() => rm(folder, { recursive: true }));

  const claims = { sub: 'alice', iss: 'https://login', aud: 'shop' };
  const sign = (payload: JWTPayload, expires = '1h') =>
    new SignJWT(payload)
      .setProtectedHeader({ alg: 'ES256', kid: 'k1' })
      .setExpirationTime(expires)
      .sign(keys.privateKey);
  const callerOf = async (payload: JWTPayload) =>
    (await authenticator.authenticate(`Bearer ${await sign(payload)}`)).caller;

  test('without an Authorization header is nobody', async () => {
    const nobody = await authenticator.authenticate(undefined);
    expect(nobody.caller).toBeUndefined();
    expect(await nobody.token()).toBeUndefined();
  });

  test.each([
    [{ scope: 'admin read' }, ['admin', 'read']],
    [{ scp: ['admin'] }, ['admin']],
    [{ scp: 'admin read' }, ['admin', 'read']],
    [{}, []],
  ])('with the scopes %j has them', async (scopes, expected) => {
    expect(await callerOf({ ...claims, ...scopes })).toEqual({
      kind: 'customer',
      id: 'alice',
      scopes: expected,
    });
  });

  test('is passed on in a token that services verify, signed once for many fetches', async () => {
    const caller = await authenticator.authenticate(`bearer ${await sign(claims)}`);
    const [first, second] = [await caller.token(), await caller.token()];
    expect(first).toBe(second);
    expect(await tokens.verify(first)).toEqual({ kind: 'customer', id: 'alice', scopes: [] });
  });

  test.each([
    ['another issuer', { ...claims, iss: 'https://evil' }],
    ['another audience', { ...claims, aud: 'bank' }],
    ['nobody as its subject', { iss: claims.iss, aud: claims.aud }],
  ])('whose token is for %s is refused', async (_case, payload) => {
    await expect(callerOf(payload)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  test('whose token has run out is refused, also when it was accepted before', async () => {
    const expired = await sign(claims, '-1s');
    await expect(authenticator.authenticate(`Bearer ${expired}`)).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
      message: expect.stringContaining('exp') as string,
    });
  });

  test('with a token is refused by a gateway that has no keys', async () => {
    const keyless = await createAuthenticator({} as GatewayConfig, tokens);
    await expect(keyless.authenticate(`Bearer ${await sign(claims)}`)).rejects.toThrow('JWT_JWKS_URL');
  });
});
