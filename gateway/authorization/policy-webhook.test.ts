import type { RequestListener } from 'node:http';
import { describe, expect, test, vi } from 'vitest';
import { silentLog } from '../../platform/log.ts';
import { anonymous, type OperationCaller } from '../security/operation-caller.ts';
import { serveInstance } from '../testing/instances.ts';
import { createAuthorization } from './authorization.ts';
import { policiesByWebhook } from './policy-webhook.ts';

const customer = (id: string): OperationCaller => ({
  ...anonymous,
  caller: { kind: 'customer', id, scopes: ['read'] },
  key: id,
});
const [ada, bob] = [customer('ada'), customer('bob')];

interface Asked {
  readonly caller: { readonly id: string; readonly scopes: string[] } | null;
  readonly policies: string[];
}

/** A webhook that grants `staff` to ada, unless it is told otherwise. */
async function start({ ttlMs = 60_000, names = ['staff', 'vip'] } = {}) {
  const asked: Asked[] = [];
  const behaviour = {
    status: 200,
    granted: (given: Asked): unknown => (given.caller?.id === 'ada' ? ['staff'] : []),
  };
  const listener: RequestListener = (request, response) => {
    let text = '';
    request.on('data', chunk => {
      text += String(chunk);
    });
    request.on('end', () => {
      const given = JSON.parse(text) as Asked;
      asked.push(given);
      response.writeHead(behaviour.status).end(JSON.stringify({ granted: behaviour.granted(given) }));
    });
  };
  const url = `http://127.0.0.1:${await serveInstance(listener)}/policies`;
  const config = { AUTHORIZATION_POLICIES_TTL_MS: ttlMs, AUTHORIZATION_POLICIES_TIMEOUT_MS: 2_000 };
  const authorization = createAuthorization({
    policies: policiesByWebhook(url, config, silentLog),
    rejects: false,
  });
  const grantsOf = authorization.grantsFor({
    all: names.map(name => ({ kind: 'policies', anyOf: [[name]] })),
    ofType: () => [],
    ofField: () => [],
  });
  const granted = async (caller: OperationCaller) => {
    await authorization.prepare(caller);
    return grantsOf(caller).key;
  };
  return { authorization, asked, behaviour, grantsOf, granted };
}

test('a caller has the policies that the webhook grants, and is asked for once', async () => {
  const { asked, granted } = await start();
  expect(await Promise.all([granted(ada), granted(ada), granted(bob)])).toEqual(['10', '10', '00']);
  expect(await granted(ada)).toBe('10');
  expect(await granted(anonymous)).toBe('00');
  expect(asked).toHaveLength(3);
  expect(asked).toContainEqual({ caller: { id: 'ada', scopes: ['read'] }, policies: ['staff', 'vip'] });
  expect(asked).toContainEqual({ caller: null, policies: ['staff', 'vip'] });
});

test('policies of a graph that comes later are asked for as well', async () => {
  const { authorization, asked, behaviour, granted } = await start();
  await granted(ada);
  const grantsOf = authorization.grantsFor({
    all: [{ kind: 'policies', anyOf: [['old']] }],
    ofType: () => [],
    ofField: () => [],
  });
  behaviour.granted = ({ policies }) => policies;
  await authorization.prepare(ada);
  expect(grantsOf(ada).key).toBe('1');
  expect(asked.at(-1)?.policies).toEqual(['staff', 'vip', 'old']);
});

test('nothing is asked for a graph without policies', async () => {
  const { asked, granted } = await start({ names: [] });
  expect(await granted(ada)).toBe('');
  expect(asked).toEqual([]);
});

test('a decision is renewed while it is used, also by subscriptions, which wait for nothing', async () => {
  const { behaviour, granted, grantsOf } = await start({ ttlMs: 50 });
  expect(await granted(ada)).toBe('10');
  behaviour.granted = () => ['vip'];
  await vi.waitFor(() => expect(grantsOf(ada).key).toBe('01'));
});

test('a decision that has ended counts no more, and is asked for anew before a run', async () => {
  const { granted, grantsOf } = await start({ ttlMs: 20 });
  expect(await granted(ada)).toBe('10');
  await new Promise(resolve => setTimeout(resolve, 60));
  expect(await granted(ada)).toBe('10');
  await new Promise(resolve => setTimeout(resolve, 60));
  expect(grantsOf(ada).key).toBe('00');
});

describe('nothing is granted', () => {
  test.each<[string, (behaviour: Awaited<ReturnType<typeof start>>['behaviour']) => void]>([
    ['fails', behaviour => Object.assign(behaviour, { status: 500 })],
    ['answers with something else', behaviour => Object.assign(behaviour, { granted: () => 'staff' })],
  ])('while the webhook %s, and it is asked again', async (_what, fail) => {
    const { asked, behaviour, granted } = await start();
    const before = { ...behaviour };
    fail(behaviour);
    expect(await granted(ada)).toBe('00');
    expect(await granted(ada)).toBe('00');
    expect(asked).toHaveLength(1);
    Object.assign(behaviour, before);
    await vi.waitFor(async () => expect(await granted(ada)).toBe('10'), { timeout: 5_000, interval: 50 });
  });
});
