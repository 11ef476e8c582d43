import { describe, expect, test, vi } from 'vitest';
import {
  callerTokenLifetimeSeconds,
  createCallerTokens,
  createTokenSource,
  requireCustomer,
  requireScope,
  requireService,
} from './caller.ts';

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
