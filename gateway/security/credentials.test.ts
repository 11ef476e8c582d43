import type { IncomingMessage } from 'node:http';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PorticoError } from '../../platform/errors.ts';
import { createCredentials } from './credentials.ts';

const listed = 'https://shop.example';
const config = { JWT_COOKIE: 'session', CORS_ORIGINS: [listed], HEADERS_TO_SUBGRAPHS: [] };
const credentials = createCredentials(config);
const host = 'graph.example';
const request = (headers: Record<string, string>, socket: object = {}) =>
  ({ headers: { host, ...headers }, socket }) as unknown as IncomingMessage;
const cookie = 'theme=dark; session=abc; last=1';

describe('the credentials of a request', () => {
  test.each([
    [{}, undefined],
    [{ cookie }, 'Bearer abc'],
    [{ cookie, authorization: 'Bearer other' }, 'Bearer other'],
    [{ cookie: 'session="abc"' }, 'Bearer abc'],
    [{ cookie: 'session=' }, undefined],
    [{ cookie: 'my-session=abc; sessions=abc' }, undefined],
    [{ cookie: 'SESSION=abc' }, undefined],
  ])('with %j are %s', (headers, expected) => {
    expect(credentials.of(request(headers))).toBe(expected);
  });

  test('of several cookies of the name are none of them', () => {
    expect(() => credentials.of(request({ cookie: 'session=abc; session=def' }))).toThrow(
      "There are 2 cookies 'session'; only one may come",
    );
  });

  test.each([
    {},
    { origin: listed },
    { origin: listed, 'sec-fetch-site': 'cross-site' },
    { origin: listed, 'sec-fetch-site': 'same-site' },
    { origin: `https://${host}` },
    { origin: `http://${host}` },
    { origin: 'https://proxied.example', 'sec-fetch-site': 'same-origin' },
    { 'sec-fetch-site': 'same-origin' },
    { 'sec-fetch-site': 'none' },
  ])('are those of a cookie where the page is %j', headers => {
    expect(credentials.of(request({ cookie, ...headers }))).toBe('Bearer abc');
  });

  test.each([
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: '' },
    { origin: '*' },
    { origin: `${listed}.evil.example` },
    { origin: 'http://shop.example' },
    { origin: `https://${host}:8443` },
    { origin: `https://${host}`, 'sec-fetch-site': 'same-site' },
    { origin: 'https://a.graph.example', 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'invented' },
  ])('with a cookie are refused where the page is %j', headers => {
    expect(() => credentials.of(request({ cookie, ...headers }))).toThrow(/which may not use it/);
    expect(() => credentials.ofUpgrade(request({ cookie, ...headers }))).toThrow(/which may not use it/);
    expect(credentials.of(request({ cookie, ...headers, authorization: 'Bearer b' }))).toBe('Bearer b');
    expect(credentials.of(request({ cookie: 'theme=dark', ...headers }))).toBeUndefined();
  });

  test('with a cookie are refused over TLS where the page came without', () => {
    const encrypted = { encrypted: true };
    const from = (origin: string) => credentials.of(request({ cookie, origin }, encrypted));
    expect(from(`https://${host}`)).toBe('Bearer abc');
    expect(() => from(`http://${host}`)).toThrow(/which may not use it/);
  });
});

describe('the credentials of a WebSocket', () => {
  test('are those of its cookie where the page is listed, or of this host', () => {
    for (const origin of [listed, `https://${host}`])
      expect(credentials.ofUpgrade(request({ cookie, origin }))).toBe('Bearer abc');
  });

  test('with a cookie are refused where no page is named', () => {
    expect(() => credentials.ofUpgrade(request({ cookie }))).toThrow(/no page that it names/);
  });

  test('are not those of its header Authorization, which is for connection_init', () => {
    expect(credentials.ofUpgrade(request({ authorization: 'Bearer a' }))).toBeUndefined();
  });
});

describe('a cookie', () => {
  test('does not count without a setting', () => {
    const none = createCredentials({ CORS_ORIGINS: [], HEADERS_TO_SUBGRAPHS: ['accept-language'] });
    expect(none.useCookies).toBe(false);
    expect(none.of(request({ cookie, origin: 'https://evil.example' }))).toBeUndefined();
    expect(none.ofUpgrade(request({ cookie, origin: 'https://evil.example' }))).toBeUndefined();
  });

  test('that goes on to subgraphs counts, whatever its name', () => {
    const passed = createCredentials({ CORS_ORIGINS: [listed], HEADERS_TO_SUBGRAPHS: ['Cookie'] });
    expect(passed.useCookies).toBe(true);
    for (const find of [passed.of, passed.ofUpgrade]) {
      expect(find(request({ cookie, origin: listed }))).toBeUndefined();
      expect(() => find(request({ cookie, origin: 'https://evil.example' }))).toThrow(/which may not use it/);
    }
  });
});

test('any cookies are read as those of somebody or nobody, or are refused', () => {
  const text = fc.string({ unit: fc.constantFrom('session', '=', ';', ' ', '"', 'a', '\t', ',', '\xff') });
  fc.assert(
    fc.property(text, fc.option(fc.string(), { nil: undefined }), (given, origin) => {
      const headers = { cookie: given, ...(origin === undefined ? {} : { origin }) };
      for (const of of [credentials.of, credentials.ofUpgrade])
        try {
          const found = of(request(headers));
          if (found !== undefined) expect(given).toContain(found.slice('Bearer '.length));
        } catch (error) {
          expect(error).toBeInstanceOf(PorticoError);
        }
    }),
    { numRuns: 500 },
  );
});
