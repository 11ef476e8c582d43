import { once } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import { createClient } from 'graphql-ws';
import { decodeJwt } from 'jose';
import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { gatewaySettings } from '../../gateway/config.ts';
import { loadConfig } from '../../platform/config.ts';
import { useFront } from '../helpers/front.ts';

const listed = 'https://shop.example';
const evil = 'https://evil.example';
const cookieName = '__Host-session';

const front = useFront({
  env: { CORS_ORIGINS: `${listed},https://other.example`, CORS_CREDENTIALS: 'true', JWT_COOKIE: cookieName },
});
let changes = 0;
/** Ends a query that waits. */
let pass = () => {};
let waiting = Promise.resolve();
let arrived = 0;

/** Name of the customer that a subgraph is told of. */
function callerIn(headers: IncomingHttpHeaders): string | undefined {
  const token = headers['x-portico-caller'];
  return typeof token === 'string' ? decodeJwt(token).sub : undefined;
}

beforeAll(async () => {
  const me = (_parent: unknown, _args: unknown, headers: IncomingHttpHeaders) => callerIn(headers);
  const slowMe = async (...args: Parameters<typeof me>) => {
    arrived += 1;
    await waiting;
    return me(...args);
  };
  const subgraph = await front.serve({
    name: 'people',
    typeDefs: `
      type Query { me: String slowMe: String }
      type Mutation { change: Int }
      type Subscription { ticked: Int }
    `,
    resolvers: {
      Query: { me, slowMe },
      Mutation: { change: () => ++changes },
      Subscription: {
        ticked: {
          async *subscribe() {
            yield { ticked: 1 };
          },
        },
      },
    },
    headers: { 'cache-control': 'max-age=60' },
  });
  await subgraph.register();
  await vi.waitFor(async () => expect((await front.supergraph()).subgraphs.length).toBe(1), {
    timeout: 10_000,
    interval: 50,
  });
});

const cookieOf = async (customer: string) =>
  `theme=dark; ${cookieName}=${await front.keys.mintToken(customer)}`;
const ownOrigin = () => new URL(front.graphUrl).origin;

async function post(headers: Record<string, string>, query = '{ me }') {
  const response = await fetch(front.graphUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query }),
  });
  const body = (await response.json()) as {
    data?: Record<string, unknown>;
    errors?: { extensions: Record<string, unknown> }[];
  };
  return {
    status: response.status,
    headers: response.headers,
    data: body.data,
    code: body.errors?.[0]?.extensions['code'],
  };
}

describe('a page', () => {
  const preflight = (origin: string) =>
    fetch(front.graphUrl, {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type',
      },
    });
  const shared = ({ headers }: { headers: Headers }) => [
    headers.get('access-control-allow-origin'),
    headers.get('access-control-allow-credentials'),
  ];

  test('of an origin that is listed may ask with cookies, and read what comes', async () => {
    for (const origin of [listed, 'https://other.example']) {
      const asked = await preflight(origin);
      expect(shared(asked)).toEqual([origin, 'true']);
      expect(asked.headers.get('access-control-allow-headers')).toBe('content-type');
      const answered = await post({ origin, cookie: await cookieOf('alice') });
      expect(shared(answered)).toEqual([origin, 'true']);
      expect(answered.headers.get('vary')).toBe('Origin, Cookie');
      expect(answered.data).toEqual({ me: 'alice' });
    }
  });

  test.each([evil, 'null', '*', 'http://shop.example', 'https://shop.example:8443'])(
    'of %s may neither ask nor read',
    async origin => {
      expect(shared(await preflight(origin))).toEqual([null, null]);
      const anonymous = await post({ origin });
      expect(shared(anonymous)).toEqual([null, null]);
      expect(anonymous.data).toEqual({ me: null });
      const refused = await post({ origin, cookie: await cookieOf('alice') });
      expect([refused.status, refused.code, refused.data]).toEqual([403, 'ORIGIN_NOT_ALLOWED', undefined]);
    },
  );

  test.each([
    ['CORS_ORIGINS', { CORS_ORIGINS: '*', CORS_CREDENTIALS: 'true' }, /by its name.*but got \*/],
    ['CORS_ORIGINS', { CORS_CREDENTIALS: 'true' }, /because CORS_CREDENTIALS is set, but got none/],
    ['CORS_ORIGINS', { CORS_ORIGINS: 'null' }, /expected origins such as https:\/\/shop.example/],
    ['CORS_ORIGINS', { CORS_ORIGINS: `${listed}/` }, /with nothing behind the host and port/],
    ['JWT_JWKS_URL', { JWT_COOKIE: 'session' }, /expected keys, because JWT_COOKIE is set, but got none/],
    ['JWT_COOKIE', { JWT_COOKIE: 'a b' }, /JWT_COOKIE/],
  ])('may not be let in by a %s like %j', (name, env, message) => {
    const load = () => loadConfig(gatewaySettings, { CALLER_SECRET: 'a'.repeat(32), ...env });
    expect(load).toThrow(message);
    expect(load).toThrow(new RegExp(`at ${name}`));
  });
});

describe('a token in a cookie', () => {
  test('says who the caller is, unless the header Authorization does', async () => {
    const cookie = await cookieOf('alice');
    expect((await post({ cookie })).data).toEqual({ me: 'alice' });
    expect((await post({ cookie, origin: ownOrigin() })).data).toEqual({ me: 'alice' });
    const authorization = `Bearer ${await front.keys.mintToken('bob')}`;
    expect((await post({ cookie, authorization, origin: evil })).data).toEqual({ me: 'bob' });
    expect((await post({ cookie: 'theme=dark' })).data).toEqual({ me: null });
  });

  test('is refused when it is not accepted, or when there are several', async () => {
    for (const cookie of [`${cookieName}=none`, `${await cookieOf('alice')}; ${await cookieOf('bob')}`]) {
      const { status, code } = await post({ cookie });
      expect([status, code]).toEqual([401, 'UNAUTHENTICATED']);
    }
  });

  test.each([
    { origin: evil, 'sec-fetch-site': 'cross-site' },
    { origin: 'null' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
  ])('changes nothing for a page with %j', async headers => {
    const before = changes;
    const refused = await post({ cookie: await cookieOf('alice'), ...headers }, 'mutation { change }');
    expect([refused.status, refused.code]).toEqual([403, 'ORIGIN_NOT_ALLOWED']);
    expect(changes).toBe(before);
  });

  test.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=a'])(
    'changes nothing by a body of %s, which a page can send without being asked',
    async type => {
      const before = changes;
      const refused = await post(
        { cookie: await cookieOf('alice'), 'content-type': type },
        'mutation { change }',
      );
      expect(refused.status).toBe(415);
      expect(changes).toBe(before);
    },
  );

  test.each([
    'application/json',
    'text/event-stream',
    'multipart/mixed;subscriptionSpec=1.0, application/json',
  ])('changes nothing by a GET that accepts %s', async accept => {
    const before = changes;
    const url = `${front.graphUrl}?query=${encodeURIComponent('mutation { change }')}`;
    const headers = { accept, cookie: await cookieOf('alice'), 'apollo-require-preflight': 'true' };
    expect((await fetch(url, { headers })).status).toBe(405);
    expect(changes).toBe(before);
  });

  test('is no reason to answer a GET that a page can send without being asked', async () => {
    const url = `${front.graphUrl}?query=${encodeURIComponent('{ me }')}`;
    const cookie = await cookieOf('alice');
    const plain = await fetch(url, { headers: { cookie } });
    expect(plain.status).toBe(400);
    const asked = await fetch(url, { headers: { cookie, 'apollo-require-preflight': 'true' } });
    expect(await asked.json()).toEqual({ data: { me: 'alice' } });
    // A cache between them keeps it for those with the same cookie.
    expect(asked.headers.get('vary')).toBe('Origin, Cookie');
  });

  test('gets an answer of its own among equal queries', async () => {
    waiting = new Promise(resolve => {
      pass = resolve;
    });
    const customers = ['alice', 'bob', 'alice', 'carol'];
    const cookies = await Promise.all(customers.map(cookieOf));
    const answers = Promise.all(cookies.map(cookie => post({ cookie }, '{ slowMe }')));
    await vi.waitFor(() => expect(arrived).toBeGreaterThanOrEqual(3));
    pass();
    expect((await answers).map(({ data }) => data)).toEqual(customers.map(slowMe => ({ slowMe })));
  });

  test('opens a stream for a page that may use it, and for no other', async () => {
    const url = `${front.graphUrl}?query=${encodeURIComponent('subscription { ticked }')}`;
    const open = async (origin: string) =>
      fetch(url, { headers: { accept: 'text/event-stream', origin, cookie: await cookieOf('alice') } });
    const allowed = await open(listed);
    expect(await allowed.text()).toContain('{"data":{"ticked":1}}');
    expect(allowed.headers.get('access-control-allow-credentials')).toBe('true');
    expect((await open(evil)).status).toBe(403);
  });
});

describe('a WebSocket', () => {
  function clientWith(headers: Record<string, string>, connectionParams: Record<string, string> = {}) {
    class SocketWithHeaders extends WebSocket {
      constructor(url: string, protocol: string) {
        super(url, protocol, { headers });
      }
    }
    const url = front.graphUrl.replace('http', 'ws');
    const client = createClient({
      url,
      webSocketImpl: SocketWithHeaders,
      retryAttempts: 0,
      connectionParams,
    });
    onTestFinished(() => client.dispose());
    return client;
  }
  const ask = async (...args: Parameters<typeof clientWith>) =>
    (
      await clientWith(...args)
        .iterate({ query: '{ me }' })
        .next()
    ).value as unknown;

  test('with a cookie is its customer, for pages that may use it', async () => {
    const cookie = await cookieOf('alice');
    for (const origin of [listed, ownOrigin()])
      expect(await ask({ cookie, origin })).toEqual({ data: { me: 'alice' } });
    const authorization = `Bearer ${await front.keys.mintToken('bob')}`;
    expect(await ask({ cookie, origin: listed }, { authorization })).toEqual({ data: { me: 'bob' } });
  });

  test('with a cookie is refused to other pages, and where no page is named', async () => {
    const cookie = await cookieOf('alice');
    for (const headers of [{ origin: evil }, { origin: 'null' }, { origin: '*' }, {}]) {
      const socket = new WebSocket(front.graphUrl.replace('http', 'ws'), 'graphql-transport-ws', {
        headers: { cookie, ...headers },
      });
      socket.on('error', () => {});
      const [request, response] = await once(socket, 'unexpected-response');
      expect(response.statusCode).toBe(403);
      const chunks: Buffer[] = await response.toArray();
      expect(JSON.parse(Buffer.concat(chunks).toString())).toMatchObject({
        errors: [{ extensions: { code: 'ORIGIN_NOT_ALLOWED' } }],
      });
      request.destroy();
    }
  });

  test('without a cookie is open to all pages, and nobody', async () => {
    expect(await ask({ origin: evil })).toEqual({ data: { me: null } });
    expect(await ask({ origin: evil, cookie: 'theme=dark' })).toEqual({ data: { me: null } });
  });

  test('with a cookie that is not accepted is closed', async () => {
    const asked = ask({ cookie: `${cookieName}=none`, origin: listed });
    await expect(asked).rejects.toMatchObject({ code: 4403 });
  });
});
