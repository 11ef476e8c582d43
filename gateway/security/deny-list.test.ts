import type { RequestListener } from 'node:http';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createCallerTokens } from '../../platform/caller.ts';
import { silentLog } from '../../platform/log.ts';
import { serveInstance } from '../testing/instances.ts';
import { createAuthenticator } from './authenticate.ts';
import { followDenyList } from './deny-list.ts';

const callers = createCallerTokens('a secret of at least thirty-two characters');

/** An authenticator whose keys and list of denied tokens are served here. */
async function start(list: unknown, { listIsThere = true } = {}) {
  const keys = await generateKeyPair('ES256', { extractable: true });
  const jwks = JSON.stringify({ keys: [await exportJWK(keys.publicKey)] });
  const served = { list, isThere: listIsThere, reads: 0 };
  const listener: RequestListener = (request, response) => {
    if (request.url === '/jwks') response.end(jwks);
    else {
      served.reads += 1;
      response.writeHead(served.isThere ? 200 : 503).end(JSON.stringify(served.list));
    }
  };
  const url = `http://127.0.0.1:${await serveInstance(listener)}`;
  const denyList = followDenyList(
    { JWT_DENY_LIST_URL: `${url}/denied`, JWT_DENY_LIST_INTERVAL_MS: 20 },
    silentLog,
  );
  if (!denyList) throw new Error('There is no list');
  onTestFinished(() => denyList.close());
  const { authenticate } = createAuthenticator(
    {
      JWT_JWKS_URL: [`${url}/jwks`],
      JWT_ISSUER: [],
      JWT_AUDIENCE: [],
      JWT_ALGORITHMS: ['ES256'],
      JWT_CLOCK_TOLERANCE_SECONDS: 0,
    },
    callers,
    denyList,
  );
  const sign = async (sub: string, jti: string, issuedAt?: number) =>
    `Bearer ${await new SignJWT({ sub, jti })
      .setProtectedHeader({ alg: 'ES256' })
      .setIssuedAt(issuedAt)
      .setExpirationTime('1h')
      .sign(keys.privateKey)}`;
  const isAccepted = async (authorization: string) => {
    try {
      await authenticate(authorization);
      return true;
    } catch (error) {
      expect(error).toMatchObject({
        code: 'UNAUTHENTICATED',
        message: expect.stringContaining('revoked') as string,
      });
      return false;
    }
  };
  if (listIsThere)
    await vi.waitFor(async () => expect(await isAccepted(await sign('nobody', 'none'))).toBe(true));
  return { authenticate, isAccepted, sign, served };
}

describe('a token is not accepted', () => {
  test.each<[string, unknown[], boolean]>([
    ['by its id', [{ jti: 'a' }], false],
    ['by its subject', [{ sub: 'alice' }], false],
    ['by its subject, when it was issued before', [{ sub: 'alice', issuedBefore: 2_000 }], false],
    ['but it is, when it was issued afterwards', [{ sub: 'alice', issuedBefore: 1_000 }], true],
    ['by its id, whatever else an entry has', [{ jti: 'a', sub: 'bob', exp: 5 }], false],
    ['but it is, when others are denied', [{ jti: 'b' }, { sub: 'bob' }], true],
  ])('%s', async (_what, list, accepted) => {
    const { isAccepted, sign } = await start(list);
    expect(await isAccepted(await sign('alice', 'a', 1_000))).toBe(accepted);
  });
});

test('a token that was accepted before is not from the next reading on, and whoever watches it is told once', async () => {
  const { authenticate, isAccepted, sign, served } = await start([]);
  const token = await sign('alice', 'a');
  const caller = await authenticate(token);
  const onDenied = vi.fn();
  const onOtherDenied = vi.fn();
  caller.onDenied?.(onDenied);
  (await authenticate(await sign('bob', 'b'))).onDenied?.(onOtherDenied);
  caller.onDenied?.(onOtherDenied)();
  served.list = [{ jti: 'a' }];
  await vi.waitFor(async () => expect(await isAccepted(token)).toBe(false));
  expect(onDenied).toHaveBeenCalledTimes(1);
  expect(onOtherDenied).not.toHaveBeenCalled();
});

test('tokens are neither accepted nor refused until the list has been read once; then the last one counts', async () => {
  const { authenticate, isAccepted, sign, served } = await start([{ jti: 'a' }], { listIsThere: false });
  const [denied, other] = [await sign('alice', 'a'), await sign('alice', 'b')];
  await expect(authenticate(denied)).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE', retryable: true });
  served.isThere = true;
  await vi.waitFor(async () => expect(await isAccepted(other)).toBe(true));
  expect(await isAccepted(denied)).toBe(false);
  const watched = vi.fn();
  (await authenticate(other)).onDenied?.(watched);
  served.list = { not: 'a list' };
  const { reads } = served;
  await vi.waitFor(() => expect(served.reads).toBeGreaterThan(reads + 2));
  expect([await isAccepted(denied), await isAccepted(other)]).toEqual([false, true]);
  served.list = [{ jti: 'b' }];
  await vi.waitFor(() => expect(watched).toHaveBeenCalledTimes(1));
  expect(await isAccepted(denied)).toBe(true);
});
