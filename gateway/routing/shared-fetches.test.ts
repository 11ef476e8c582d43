import type { IncomingHttpHeaders } from 'node:http';
import { describe, expect, test } from 'vitest';
import { type PassedHeaders, passHeaders, passOneWay } from '../header-rules.ts';
import type { OperationContext } from '../operation-context.ts';
import { anonymous } from '../security/operation-caller.ts';
import { Turn } from '../turn.ts';
import type { FetchedAnswer, SubgraphFetch } from './ask-instance.ts';
import { createSharedFetches } from './shared-fetches.ts';

const rules = { toSubgraphs: ['accept-language'], toClients: ['set-cookie'] };

interface Asking {
  readonly query?: string;
  readonly caller?: OperationContext['caller'];
  readonly headers?: PassedHeaders;
  readonly signal?: AbortSignal;
  readonly isMutation?: boolean;
}

/** Fetches of one subgraph, each of which ends when it is told. */
function start() {
  const under: { readonly fetch: SubgraphFetch; end(headers?: IncomingHttpHeaders): void; fail(): void }[] =
    [];
  const joined: string[] = [];
  const shared = createSharedFetches(subgraph => void joined.push(subgraph));
  const share = shared.share({ name: 'stock', hash: 'v1' }, fetch => {
    return new Promise<FetchedAnswer>((resolve, reject) => {
      under.push({
        fetch,
        end(headers = {}) {
          fetch.context.headers.collect(headers);
          const text = '{"data":{"count":{"value":3}}}';
          resolve({ text, headers, answer: JSON.parse(text) as FetchedAnswer['answer'] });
        },
        fail: () => reject(new Error('gone')),
      });
    });
  });
  const ask = ({ query = '{ count }', caller = anonymous, isMutation = false, ...asking }: Asking = {}) => {
    const { headers = passHeaders(rules, {}), signal } = asking;
    const context = { caller, address: '', turn: new Turn(), headers };
    const body = JSON.stringify({ query });
    return share({ query, body, isMutation, representations: undefined, context, signal });
  };
  return { under, joined, shared, ask };
}

describe('fetches that are under way at the same time', () => {
  test('share an answer when they are equal, and each has it for itself', async () => {
    const { under, joined, ask } = start();
    const answers = [ask(), ask(), ask()];
    expect(under).toHaveLength(1);
    under[0]?.end();
    const [first, second, third] = (await Promise.all(answers)).map(({ answer }) => answer.data?.['count']);
    expect(first).toEqual({ value: 3 });
    (first as { value: number }).value = 4;
    expect([second, third]).toEqual([{ value: 3 }, { value: 3 }]);
    expect(second).not.toBe(third);
    expect(joined).toEqual(['stock', 'stock']);
    void ask();
    expect(under).toHaveLength(2);
  });

  test.each<[string, Asking]>([
    ['another caller', { caller: { ...anonymous, key: 'ada' } }],
    ['another header', { headers: passHeaders(rules, { 'accept-language': 'nl' }) }],
    ['another document', { query: '{ other }' }],
    ['a live event', { headers: passOneWay({}) }],
    ['a mutation', { isMutation: true }],
  ])('share nothing with those of %s', (_what, asking) => {
    const { under, ask } = start();
    void ask({ isMutation: asking.isMutation ?? false });
    void ask(asking);
    expect(under).toHaveLength(2);
  });

  test('share nothing with what began before something changed', () => {
    const { under, shared, ask } = start();
    void ask();
    shared.forget();
    void ask();
    void ask();
    expect(under).toHaveLength(2);
  });

  test.each<IncomingHttpHeaders>([{ 'cache-control': 'no-store' }, { 'set-cookie': ['a=1'] }])(
    'each make their own when the answer was for one only: %j',
    async headers => {
      const { under, joined, ask } = start();
      const answers = [ask(), ask()];
      under[0]?.end(headers);
      await expect.poll(() => under.length).toBe(2);
      // It is known from now on.
      answers.push(ask());
      expect(under).toHaveLength(3);
      for (const each of under.slice(1)) each.end(headers);
      await Promise.all(answers);
      expect(joined).toEqual([]);
    },
  );

  test('share an answer though another one of their operations was for one only', async () => {
    const { under, joined, ask } = start();
    const headers = passHeaders(rules, {});
    const answers = [ask({ headers }), ask()];
    headers.collect({ 'cache-control': 'no-store' });
    under[0]?.end();
    await Promise.all(answers);
    expect(joined).toEqual(['stock']);
    void ask({ headers });
    void ask();
    expect(under).toHaveLength(2);
  });

  test('are not made for all when the one that begins them has nobody who waits', () => {
    const { under, ask } = start();
    const signal = AbortSignal.abort();
    void ask({ signal });
    expect(under[0]?.fetch.signal).toBe(signal);
    void ask();
    expect(under).toHaveLength(2);
  });

  test('fail together', async () => {
    const { under, ask } = start();
    const answers = [ask(), ask()];
    under[0]?.fail();
    for (const answer of answers) await expect(answer).rejects.toThrow('gone');
  });

  test('go on until the last client has left', () => {
    const { under, ask } = start();
    const [one, other] = [new AbortController(), new AbortController()];
    void ask({ signal: one.signal });
    void ask({ signal: other.signal });
    const { signal } = under[0]?.fetch ?? {};
    one.abort();
    expect(signal?.aborted).toBe(false);
    other.abort();
    expect(signal?.aborted).toBe(true);
  });

  test('give a client the headers of the answer', async () => {
    const { under, ask } = start();
    const rulesToCaches = { toSubgraphs: [], toClients: ['cache-control'] };
    const headers = passHeaders(rulesToCaches, {});
    const answers = [ask(), ask({ headers })];
    under[0]?.end({ 'cache-control': 'max-age=5' });
    await Promise.all(answers);
    expect(headers.response()).toEqual({ 'cache-control': 'max-age=5, public' });
  });
});
