import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  callerSettings,
  callerTokenLifetimeSeconds,
  createCallerTokens,
  createTokenSource,
  openCallerTokens,
  requireCustomer,
  requireScope,
  requireService,
} from './caller.ts';
import { loadConfig } from './config.ts';

const secret = 'a secret of at least thirty-two characters';
const tokens = createCallerTokens(secret);
const alice = { kind: 'customer', id: 'alice', scopes: ['admin', 'beta'] } as const;
const orders = { kind: 'service', id: 'orders', scopes: [] } as const;

describe('a caller token', () => {
  test.each([alice, orders])('brings the $kind $id through', async caller => {
    expect(await tokens.verify(await tokens.sign(caller, 'inventory'), 'inventory')).toEqual(caller);
  });

  test('of nobody is nobody', async () => {
    expect(await tokens.verify(undefined, 'inventory')).toBeUndefined();
  });

  test('signed with another secret is refused', async () => {
    const forged = await createCallerTokens('another secret, also of thirty-two characters').sign(
      alice,
      'inventory',
    );
    await expect(tokens.verify(forged, 'inventory')).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  test('for one service is refused by every other, also when its own has accepted it', async () => {
    const token = await tokens.sign(alice, 'inventory');
    expect(await tokens.verify(token, 'inventory')).toEqual(alice);
    await expect(tokens.verify(token, 'orders')).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
      message: expect.stringContaining("the audience 'orders'"),
    });
  });

  test('is useless when its time is over', async () => {
    vi.useFakeTimers();
    try {
      const token = await tokens.sign(alice, 'inventory');
      expect(await tokens.verify(token, 'inventory')).toEqual(alice);
      vi.advanceTimersByTime((callerTokenLifetimeSeconds + 1) * 1000);
      await expect(tokens.verify(token, 'inventory')).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('a secret', () => {
  const [old, renewed] = ['o'.repeat(32), 'n'.repeat(32)];

  test('may be one of several: the first signs, and all are accepted', async () => {
    const both = createCallerTokens(`${renewed}, ${old}`);
    const [fromOld, fromBoth] = [createCallerTokens(old), await both.sign(alice, 'inventory')];
    expect(await both.verify(await fromOld.sign(alice, 'inventory'), 'inventory')).toEqual(alice);
    expect(await createCallerTokens(renewed).verify(fromBoth, 'inventory')).toEqual(alice);
    await expect(fromOld.verify(fromBoth, 'inventory')).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  test('in a file is another when that changes, without a restart, unless it is too short', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'portico-secret-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const file = join(folder, 'secret');
    let ageSeconds = 100;
    const write = async (text: string) => {
      await writeFile(file, `${text}\n`);
      ageSeconds -= 1;
      await utimes(file, new Date(), new Date(Date.now() - ageSeconds * 1_000));
    };
    await write(old);
    const opened = openCallerTokens(loadConfig(callerSettings, { CALLER_SECRET_FILE: file }));
    const isSignedWith = async (text: string) => {
      const token = await opened.sign(alice, 'inventory');
      return createCallerTokens(text).verify(token, 'inventory');
    };
    expect(await isSignedWith(old)).toEqual(alice);
    await write(`${renewed}\n${old}`);
    await vi.waitFor(async () => expect(await isSignedWith(renewed)).toEqual(alice), 5_000);
    expect(await opened.verify(await createCallerTokens(old).sign(alice, 'inventory'), 'inventory')).toEqual(
      alice,
    );
    await write('short');
    const begin = performance.now();
    await vi.waitFor(() => expect(performance.now() - begin).toBeGreaterThan(1_100), 5_000);
    expect(await isSignedWith(renewed)).toEqual(alice);
  });

  test.each(['short', `${'a'.repeat(32)},short`, ',', '\n'])('%j is too short', text => {
    expect(() => loadConfig(callerSettings, { CALLER_SECRET: text })).toThrow('at least 32 characters');
  });
});

test('a caller who asks often gets a new token after half the lifetime of the last', async () => {
  vi.useFakeTimers();
  try {
    const tokenOf = createTokenSource(tokens, orders);
    const first = await tokenOf('inventory');
    vi.advanceTimersByTime((callerTokenLifetimeSeconds / 2) * 1000);
    expect(await tokenOf('inventory')).toBe(first);
    vi.advanceTimersByTime(1000);
    expect(await tokenOf('inventory')).not.toBe(first);
  } finally {
    vi.useRealTimers();
  }
});

test('a customer, a scope and a service are each asked for by name', () => {
  expect(requireCustomer(alice)).toBe(alice);
  expect(requireScope(alice, 'admin')).toBe(alice);
  expect(requireService(orders)).toBe(orders);
  expect(() => requireCustomer(undefined)).toThrow(expect.objectContaining({ code: 'UNAUTHENTICATED' }));
  expect(() => requireCustomer(orders)).toThrow(expect.objectContaining({ code: 'FORBIDDEN' }));
  expect(() => requireScope(alice, 'root')).toThrow(expect.objectContaining({ code: 'FORBIDDEN' }));
  expect(() => requireService(alice)).toThrow(expect.objectContaining({ code: 'FORBIDDEN' }));
  expect(() => requireService(undefined)).toThrow(expect.objectContaining({ code: 'FORBIDDEN' }));
});
