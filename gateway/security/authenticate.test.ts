import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { createCallerTokens } from '../../platform/caller.ts';
import { serveInstance } from '../testing/instances.ts';
import { type Authenticator, createAuthenticator } from './authenticate.ts';
import type { IssuerConfig } from './issuers.ts';

const configOf = (given: Partial<IssuerConfig>): IssuerConfig => ({
  JWT_JWKS_URL: [],
  JWT_ISSUER: [],
  JWT_AUDIENCE: [],
  JWT_ALGORITHMS: ['ES256', 'EdDSA'],
  JWT_CLOCK_TOLERANCE_SECONDS: 5,
  ...given,
});
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
    const config = configOf({
      JWT_JWKS_URL: [pathToFileURL(file).href],
      JWT_ISSUER: ['https://login'],
      JWT_AUDIENCE: ['shop'],
    });
    authenticator = createAuthenticator(config, tokens);
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
    expect(await nobody.token('orders')).toBeUndefined();
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
    const [first, second] = [await caller.token('orders'), await caller.token('orders')];
    expect(first).toBe(second);
    expect(await caller.token('products')).not.toBe(first);
    expect(await tokens.verify(first, 'orders')).toEqual({ kind: 'customer', id: 'alice', scopes: [] });
  });

  test.each([
    ['another issuer', { ...claims, iss: 'https://evil' }],
    ['another audience', { ...claims, aud: 'bank' }],
    ['nobody as its subject', { iss: claims.iss, aud: claims.aud }],
  ])('whose token is for %s is refused', async (_case, payload) => {
    await expect(callerOf(payload)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  test('whose token has run out is refused, also when it was accepted before', async () => {
    const expired = await sign(claims, '-6s');
    await expect(authenticator.authenticate(`Bearer ${expired}`)).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
      message: expect.stringContaining('exp') as string,
    });
  });

  test('whose token has run out by less than the clocks may differ is accepted, until they differ by more', async () => {
    const { caller, expiresAtMs } = await authenticator.authenticate(`Bearer ${await sign(claims, '-2s')}`);
    expect(caller?.id).toBe('alice');
    expect(expiresAtMs).toBeGreaterThan(Date.now());
    expect(expiresAtMs).toBeLessThanOrEqual(Date.now() + 3_000);
  });

  test('with a token is refused by a gateway that has no keys', async () => {
    const keyless = createAuthenticator(configOf({}), tokens);
    await expect(keyless.authenticate(`Bearer ${await sign(claims)}`)).rejects.toThrow('JWT_JWKS_URL');
  });
});

describe('of several issuers', () => {
  async function start() {
    const [login, partner] = await Promise.all(
      ['ES256', 'EdDSA'].map(algorithm => generateKeyPair(algorithm, { extractable: true })),
    );
    if (!login || !partner) throw new Error('There are no keys');
    const urls = await Promise.all(
      [login, partner].map(async ({ publicKey }) => {
        const key = await exportJWK(publicKey);
        const port = await serveInstance(
          (_request, response) => void response.end(JSON.stringify({ keys: [key] })),
        );
        return `http://127.0.0.1:${port}/jwks`;
      }),
    );
    const config = { JWT_JWKS_URL: urls, JWT_ISSUER: ['https://login', 'https://partner'] };
    const sign = (iss: string | undefined, alg: string, key: Parameters<SignJWT['sign']>[0]) =>
      new SignJWT({ sub: 'alice', ...(iss !== undefined && { iss }) })
        .setProtectedHeader({ alg })
        .setExpirationTime('1h')
        .sign(key);
    return { config, login, partner, sign };
  }

  test('each signs its own tokens, and none of another', async () => {
    const { config, login, partner, sign } = await start();
    const { authenticate } = createAuthenticator(configOf(config), tokens);
    const accepted = [
      await sign('https://login', 'ES256', login.privateKey),
      await sign('https://partner', 'EdDSA', partner.privateKey),
    ];
    for (const token of accepted) expect((await authenticate(`Bearer ${token}`)).caller?.id).toBe('alice');
    const refused = [
      await sign('https://login', 'EdDSA', partner.privateKey),
      await sign('https://evil', 'ES256', login.privateKey),
      await sign(undefined, 'ES256', login.privateKey),
    ];
    for (const token of refused)
      await expect(authenticate(`Bearer ${token}`)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  test('a token of an algorithm that is not allowed is refused, also with a public key as the secret', async () => {
    const { config, login, partner, sign } = await start();
    const onlyEs256 = configOf({ ...config, JWT_ALGORITHMS: ['ES256'] });
    const { authenticate } = createAuthenticator(onlyEs256, tokens);
    const secret = new TextEncoder().encode(JSON.stringify(await exportJWK(login.publicKey)));
    for (const token of [
      await sign('https://partner', 'EdDSA', partner.privateKey),
      await sign('https://login', 'HS256', secret),
    ])
      await expect(authenticate(`Bearer ${token}`)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  test('a set of keys without an issuer ends the start', async () => {
    const { config } = await start();
    expect(() => createAuthenticator(configOf({ ...config, JWT_ISSUER: ['https://login'] }), tokens)).toThrow(
      'JWT_JWKS_URL has 2 sets of keys, and JWT_ISSUER 1 issuers',
    );
  });
});

test('keys that a file has from now on are used without a restart, and those that it had are not', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'portico-jwks-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'jwks.json');
  const [old, renewed] = [
    await generateKeyPair('ES256', { extractable: true }),
    await generateKeyPair('ES256', { extractable: true }),
  ];
  const write = async ({ publicKey }: typeof old) =>
    writeFile(file, JSON.stringify({ keys: [await exportJWK(publicKey)] }));
  const sign = ({ privateKey }: typeof old, sub: string) =>
    new SignJWT({ sub }).setProtectedHeader({ alg: 'ES256' }).setExpirationTime('1h').sign(privateKey);
  await write(old);
  const { authenticate } = createAuthenticator(
    configOf({ JWT_JWKS_URL: [pathToFileURL(file).href] }),
    tokens,
  );
  expect((await authenticate(`Bearer ${await sign(old, 'alice')}`)).caller?.id).toBe('alice');
  await write(renewed);
  await utimes(file, new Date(), new Date(Date.now() + 1_000));
  await vi.waitFor(
    async () =>
      expect((await authenticate(`Bearer ${await sign(renewed, 'alice')}`)).caller?.id).toBe('alice'),
    { timeout: 5_000, interval: 100 },
  );
  await expect(authenticate(`Bearer ${await sign(old, 'bob')}`)).rejects.toMatchObject({
    code: 'UNAUTHENTICATED',
  });
});

describe("when the issuer's keys are asked for", () => {
  const servedAt = async (listener: RequestListener) => {
    const port = await serveInstance(listener);
    return createAuthenticator(configOf({ JWT_JWKS_URL: [`http://127.0.0.1:${port}/jwks`] }), tokens);
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
