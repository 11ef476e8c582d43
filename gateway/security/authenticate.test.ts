import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCallerTokens } from '../../platform/caller.ts';
import type { GatewayConfig } from '../config.ts';
import { serveInstance } from '../testing/instances.ts';
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

describe("when the issuer's keys are asked for", () => {
  const servedAt = async (listener: RequestListener) => {
    const port = await serveInstance(listener);
    return createAuthenticator({ JWT_JWKS_URL: `http://127.0.0.1:${port}/jwks` } as GatewayConfig, tokens);
  };
  const signedBy = ({ privateKey }: Awaited<ReturnType<typeof generateKeyPair>>, kid: string) =>
    new SignJWT({ sub: 'alice' })
      .setProtectedHeader({ alg: 'ES256', kid })
      .setExpirationTime('1h')
      .sign(privateKey);

  test.each<[string, RequestListener]>([
    ['cannot be reached', (_request, response) => void response.socket?.destroy()],
    ['answers with a fault', (_request, response) => void response.writeHead(503).end('secret stack')],
    ['answers with something else', (_request, response) => void response.end('{"login":"page"}')],
  ])('and it %s, a token is neither accepted nor refused', async (_case, listener) => {
    const authenticator = await servedAt(listener);
    const token = await signedBy(await generateKeyPair('ES256'), 'k1');
    await expect(authenticator.authenticate(`Bearer ${token}`)).rejects.toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
      retryable: true,
      message: "The issuer's keys can't be had; try again",
    });
  });

  test('and they are there, a token of theirs is accepted and one of another key is refused', async () => {
    const [own, foreign] = [
      await generateKeyPair('ES256', { extractable: true }),
      await generateKeyPair('ES256', { extractable: true }),
    ];
    const keys = [{ ...(await exportJWK(own.publicKey)), kid: 'k1' }];
    const authenticator = await servedAt((_request, response) => void response.end(JSON.stringify({ keys })));
    const { caller } = await authenticator.authenticate(`Bearer ${await signedBy(own, 'k1')}`);
    expect(caller?.id).toBe('alice');
    for (const kid of ['k1', 'k2'])
      await expect(
        authenticator.authenticate(`Bearer ${await signedBy(foreign, kid)}`),
      ).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });
});
