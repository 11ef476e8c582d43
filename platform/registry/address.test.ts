import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { registryAddress } from './address.ts';

describe('the address of a registry', () => {
  test('has credentials as basic auth, and else the token', () => {
    expect(registryAddress('http://us%40er:p%C3%A4ss@h:8761/eureka/', 'token')).toEqual({
      base: 'http://h:8761/eureka',
      headers: { authorization: `Basic ${Buffer.from('us@er:päss').toString('base64')}` },
    });
    expect(registryAddress('http://h:8761/eureka', 'token').headers).toEqual({
      authorization: 'Bearer token',
    });
  });

  test('may have a percent sign in its credentials that stands for itself', () => {
    const { headers } = registryAddress('http://user:100%@h/eureka', undefined);
    expect(headers['authorization']).toBe(`Basic ${Buffer.from('user:100%').toString('base64')}`);
  });

  test('shows no credentials, and gives back those that were written', () => {
    const text = fc.string({ unit: 'grapheme', minLength: 1 });
    fc.assert(
      fc.property(text, text, (user, password) => {
        const url = `https://${encodeURIComponent(user)}:${encodeURIComponent(password)}@h/eureka`;
        const { base, headers } = registryAddress(url, undefined);
        expect(base).toBe('https://h/eureka');
        const [, shown = ''] = headers['authorization']?.split(' ') ?? [];
        expect(Buffer.from(shown, 'base64').toString()).toBe(`${user}:${password}`);
      }),
    );
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^(%[0-9a-g]{1,2}|:)*$/)), credentials => {
        const url = `http://${credentials}@h/eureka`;
        if (URL.canParse(url)) registryAddress(url, undefined);
      }),
    );
  });
});
