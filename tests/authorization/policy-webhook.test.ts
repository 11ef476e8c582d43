import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createGraphClient } from '../../dev/graph-client.ts';
import { useFront } from '../helpers/front.ts';

/** Decides policies: the customer boss is of the staff. */
const webhook = createServer((request, response) => {
  let text = '';
  request.on('data', chunk => {
    text += String(chunk);
  });
  request.on('end', () => {
    const { caller } = JSON.parse(text) as { caller: { id: string } | null };
    response.end(JSON.stringify({ granted: caller?.id === 'boss' ? ['staff'] : [] }));
  });
});
const env: Record<string, string> = {};
beforeAll(async () => {
  webhook.listen(0, '127.0.0.1');
  await once(webhook, 'listening');
  env['AUTHORIZATION_POLICIES_URL'] = `http://127.0.0.1:${(webhook.address() as AddressInfo).port}`;
});
afterAll(() => {
  webhook.close();
  webhook.closeAllConnections();
});

const front = useFront({ env });
beforeAll(async () => {
  const accounts = await front.serve({
    name: 'accounts',
    typeDefs: `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@policy"])
      type Query { risk: Int @policy(policies: [["staff"]]) open: Int }
      type Subscription { changed: Int @policy(policies: [["staff"]]) }`,
    resolvers: {
      Query: { risk: () => 1, open: () => 2 },
      Subscription: {
        changed: {
          async *subscribe() {
            yield { changed: 3 };
          },
        },
      },
    },
  });
  await accounts.register();
  await vi.waitFor(
    async () => expect((await front.anyone.request('{ open }')).data).toEqual({ open: 2 }),
    10_000,
  );
});

async function clientOf(customer: string) {
  return createGraphClient(front.graphUrl, await front.keys.mintToken(customer));
}

test('a webhook decides policies of queries and subscriptions', async () => {
  const [boss, alice] = [await clientOf('boss'), await clientOf('alice')];
  for (const _time of ['first', 'again']) {
    expect((await boss.request('{ risk open }')).data).toEqual({ risk: 1, open: 2 });
    const refused = await alice.request('{ risk open }');
    expect(refused.data).toEqual({ risk: null, open: 2 });
    expect(refused.errors?.[0]?.extensions?.['code']).toBe('FORBIDDEN');
  }
  expect((await boss.subscribe('subscription { changed }').next()).value).toEqual({ data: { changed: 3 } });
  await expect(alice.subscribe('subscription { changed }').next()).rejects.toMatchObject([
    { extensions: { code: 'FORBIDDEN' } },
  ]);
  await boss.close();
  await alice.close();
});
